-- Portable to PostgreSQL, Citus, YugabyteDB and CockroachDB: bigint, text, bytea, jsonb, timestamptz, date, uuid and boolean
-- only; no sequences, triggers, procedures, advisory locks or LISTEN/NOTIFY. Every person-scoped table leads its primary key
-- with person_id, by which rows are distributed; look-ups by anything else have a table of their own, keyed by that value.

-- Reference data: small, the same on every node.
CREATE TABLE province (
    code text PRIMARY KEY,
    name text NOT NULL
);

CREATE TABLE facility (
    code text PRIMARY KEY,
    name text NOT NULL,
    province_code text NOT NULL REFERENCES province (code)
);

-- Our public keys: what the trust list is made of. Secret halves are never here.
CREATE TABLE issuer_key (
    key_hash bytea NOT NULL, -- SHA-256 of spki: kids may collide, this does not
    kid bytea NOT NULL,      -- a key that was certified is listed under its certificate's kid too
    spki bytea NOT NULL,
    country text NOT NULL,
    "national" boolean NOT NULL,
    usages jsonb NOT NULL,
    own boolean NOT NULL,
    signs_from timestamptz,
    signs_until timestamptz,
    trusted_from timestamptz,
    trusted_until timestamptz,
    withdrawn_at timestamptz,
    certificate bytea, -- DER, where it was listed by one
    PRIMARY KEY (key_hash, kid)
);

-- The version of each published list, raised in the transaction that changes the list.
CREATE TABLE version (
    topic text PRIMARY KEY,
    value bigint NOT NULL
);

-- Work that one node at a time does: giving versions to the outbox, migrating.
CREATE TABLE IF NOT EXISTS lease (
    name text PRIMARY KEY,
    holder uuid NOT NULL,
    until timestamptz NOT NULL
);

CREATE TABLE person (
    person_id uuid PRIMARY KEY,
    name text NOT NULL,
    name_key text NOT NULL,     -- ICAO 9303 transliteration: what spellings of one name share
    birth text NOT NULL,        -- '', YYYY, YYYY-MM or YYYY-MM-DD: as precise as it is known
    sex text,
    ward_code text,
    phone bytea,                -- AES-256-GCM
    identity bytea,             -- AES-256-GCM
    created_at timestamptz NOT NULL
);

-- People by a keyed hash of a number. Whoever adds a person under a hash takes the next nth that it saw, so that two
-- nodes that enrol one person at once collide on the key, and the second finds the first's.
CREATE TABLE person_by_identity (
    identity_hash bytea NOT NULL,
    nth bigint NOT NULL,
    person_id uuid NOT NULL,
    PRIMARY KEY (identity_hash, nth)
);

CREATE TABLE person_by_phone (
    phone_hash bytea NOT NULL,
    nth bigint NOT NULL,
    person_id uuid NOT NULL,
    PRIMARY KEY (phone_hash, nth)
);

-- No foreign key from a dose to its person, nor from a certificate to its dose: their rows are written in one transaction,
-- and checking each would lock and write again the row that it points to, some thousands of times a second.
CREATE TABLE dose (
    person_id uuid NOT NULL,
    dose_id uuid NOT NULL,
    facility_code text NOT NULL,
    record_no text NOT NULL,
    product text NOT NULL,
    lot text NOT NULL,
    lot_expires_on date,
    given_at timestamptz NOT NULL,
    number bigint NOT NULL,     -- as the facility counted
    flags jsonb NOT NULL,
    recorded_at timestamptz NOT NULL,
    recorded_by text NOT NULL,
    vaccinator text,
    PRIMARY KEY (person_id, dose_id)
);

-- A dose by the facility's number of it; a dose recorded under two numbers has two rows here.
CREATE TABLE dose_by_record (
    facility_code text NOT NULL,
    record_no text NOT NULL,
    person_id uuid NOT NULL,
    dose_id uuid NOT NULL,
    request_hash bytea NOT NULL, -- keyed hash of what was sent: the same number with another content is refused
    PRIMARY KEY (facility_code, record_no)
);

CREATE TABLE certificate (
    person_id uuid NOT NULL,
    uvci bytea NOT NULL,
    dose_id uuid NOT NULL,      -- whose recording caused it
    number bigint NOT NULL,
    series bigint NOT NULL,
    card text NOT NULL,
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    kid bytea NOT NULL,
    compact bytea NOT NULL,     -- COSE_Sign1
    hc1 bytea,                  -- COSE_Sign1, signed on first request
    superseded_at timestamptz,
    revoked_at timestamptz,
    revocation_batch uuid,      -- which one revoked it last, also if that was undone
    PRIMARY KEY (person_id, uvci)
);

CREATE TABLE certificate_by_uvci (
    uvci bytea PRIMARY KEY,
    person_id uuid NOT NULL
);

-- A request to revoke: one certificate, a list of many, or those that fell when a record was put right.
CREATE TABLE revocation_batch (
    batch_id uuid PRIMARY KEY,
    made_at timestamptz NOT NULL,
    made_by text NOT NULL,
    put_right boolean NOT NULL, -- the record says so: not to be undone
    undone_at timestamptz,      -- when undoing all of it began
    undone_by text
);

CREATE TABLE revocation (
    batch_id uuid NOT NULL,
    uvci bytea NOT NULL,
    why text NOT NULL,          -- never published
    undone_at timestamptz,
    undone_by text,
    PRIMARY KEY (batch_id, uvci)
);

-- The outbox of what verifiers ask by: entries added and removed. version is null until the holder of the lease gives it
-- after commit, in order, so that a poller that asks for what came after a version misses nothing.
CREATE TABLE revocation_event (
    entry bytea NOT NULL,       -- SHA-256 of what it stands for, cut to 16 bytes
    nth bigint NOT NULL,        -- of this entry's events, from 0: two writers at once collide
    removes boolean NOT NULL,
    imported boolean NOT NULL,  -- from another country's batch
    at timestamptz NOT NULL,
    version bigint,
    uvci bytea,                 -- the certificate of ours that it is about; null of an imported one
    PRIMARY KEY (entry, nth)
);

CREATE UNIQUE INDEX revocation_event_by_version ON revocation_event (version);

-- Other countries' revocation batches, as the EU gateway hands them out.
CREATE TABLE foreign_revocation_batch (
    batch_id text PRIMARY KEY,
    country text NOT NULL,
    kid bytea,                  -- null if its sender does not know
    hash_type text NOT NULL,
    expires_at timestamptz NOT NULL,
    imported_at timestamptz NOT NULL
);

-- What they name. An entry may stand in several, and is removed with the last.
CREATE TABLE foreign_revocation (
    entry bytea NOT NULL,
    batch_id text NOT NULL,
    PRIMARY KEY (entry, batch_id)
);

CREATE INDEX foreign_revocation_by_batch ON foreign_revocation (batch_id);

-- Which body an Idempotency-Key came with. No answers: the operations repeat themselves.
CREATE TABLE idempotency (
    key_hash bytea PRIMARY KEY, -- of caller and key
    body_hash bytea NOT NULL,
    created_at timestamptz NOT NULL
);

-- The keys that sign what verifiers follow: the anchor (the trust list) and the publishers (the rest).
CREATE TABLE signer_key (
    key_hash bytea PRIMARY KEY, -- SHA-256 of spki
    purpose text NOT NULL, -- anchor, publisher
    kid bytea NOT NULL,
    spki bytea NOT NULL,
    signs_from timestamptz,
    signs_until timestamptz,
    withdrawn_at timestamptz
);

-- What is signed once for all nodes, the newest of each: none of them signs it again by itself.
CREATE TABLE signed_resource (
    typ text PRIMARY KEY, -- of its COSE header
    version bigint NOT NULL,
    issued_at timestamptz NOT NULL,
    signed bytea NOT NULL
);

-- The rules: every version that was ever set; the one of version's topic 'rules' is in force, or the built-in version 1.
CREATE TABLE rules (
    version bigint PRIMARY KEY,
    document text NOT NULL,     -- JSON, as it is published
    set_at timestamptz NOT NULL,
    set_by text NOT NULL
);
