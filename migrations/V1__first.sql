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
    key_hash bytea PRIMARY KEY, -- SHA-256 of spki: kids may collide, this does not
    kid bytea NOT NULL,
    spki bytea NOT NULL,
    country text NOT NULL,
    "national" boolean NOT NULL,
    usages jsonb NOT NULL,
    own boolean NOT NULL,
    signs_from timestamptz,
    signs_until timestamptz,
    trusted_from timestamptz,
    trusted_until timestamptz,
    withdrawn_at timestamptz
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
    PRIMARY KEY (person_id, uvci)
);

CREATE TABLE certificate_by_uvci (
    uvci bytea PRIMARY KEY,
    person_id uuid NOT NULL
);

-- The outbox of revocations. version is null until the holder of the lease gives it after commit, in order, so that a
-- poller that asks for what came after a version misses nothing.
CREATE TABLE revocation (
    uvci bytea PRIMARY KEY,
    revoked_at timestamptz NOT NULL,
    revoked_by text NOT NULL,
    why text NOT NULL,
    version bigint
);

CREATE UNIQUE INDEX revocation_by_version ON revocation (version);

-- Which body an Idempotency-Key came with. No answers: the operations repeat themselves.
CREATE TABLE idempotency (
    key_hash bytea PRIMARY KEY, -- of caller and key
    body_hash bytea NOT NULL,
    created_at timestamptz NOT NULL
);
