-- Registrations, their accounts, what facilities do with them, and what people say about their records. Rules as in V1.

-- Who read or changed what of whose, and why: appended to, never changed. The bucket, a day and a hex digit, spreads a day.
CREATE TABLE audit (
    bucket text NOT NULL,
    at timestamptz NOT NULL,
    audit_id uuid NOT NULL,
    role text NOT NULL,
    subject text NOT NULL,
    place text NOT NULL,         -- the facility's or the province's code, or ''
    action text NOT NULL,
    about uuid,                  -- the person, if it is about one
    why text NOT NULL,
    PRIMARY KEY (bucket, at, audit_id)
);

-- A citizen's account: whoever answers to a phone number.
CREATE TABLE account (
    account_id uuid PRIMARY KEY,
    phone bytea NOT NULL,        -- AES-256-GCM
    created_at timestamptz NOT NULL,
    epoch bigint NOT NULL        -- raised when the number changes: sessions of an earlier one are over
);

CREATE TABLE account_by_phone (
    phone_hash bytea PRIMARY KEY,
    account_id uuid NOT NULL
);

-- Whose records an account may see: itself and family.
CREATE TABLE account_member (
    account_id uuid NOT NULL,
    person_id uuid NOT NULL,
    PRIMARY KEY (account_id, person_id)
);

-- Who holds a record that was claimed; of one that was never, whoever registered the person does.
CREATE TABLE person_claim (
    person_id uuid PRIMARY KEY,
    account_id uuid NOT NULL,
    claimed_at timestamptz NOT NULL
);

-- A one-time code that was sent.
CREATE TABLE challenge (
    challenge_id uuid PRIMARY KEY,
    phone_hash bytea NOT NULL,
    phone bytea NOT NULL,        -- AES-256-GCM
    code_hash bytea NOT NULL,    -- HMAC of the challenge's id and the code
    expires_at timestamptz NOT NULL,
    tries_left bigint NOT NULL,
    used_at timestamptz
);

-- What was sent to a number on a day, and how often codes were tried.
CREATE TABLE phone_day (
    phone_hash bytea NOT NULL,
    on_day date NOT NULL,
    sent bigint NOT NULL,
    tries bigint NOT NULL,
    sent_at timestamptz,
    PRIMARY KEY (phone_hash, on_day)
);

-- How often an account tried to claim a record on a day.
CREATE TABLE claim_day (
    account_id uuid NOT NULL,
    on_day date NOT NULL,
    tries bigint NOT NULL,
    PRIMARY KEY (account_id, on_day)
);

-- A person's wish to be vaccinated; the person's data stand in person. No foreign key: both rows are written in one
-- transaction, and checking each of fifteen thousand a second costs a tenth of them.
CREATE TABLE registration (
    person_id uuid PRIMARY KEY,
    account_id uuid NOT NULL,    -- who registered them
    district_code text NOT NULL, -- the key of registration_by_district, with priority
    priority bigint NOT NULL,
    address text NOT NULL,
    occupation text NOT NULL,
    declaration jsonb NOT NULL,  -- version, and the answers that say more than no
    declared_at timestamptz NOT NULL,
    consent jsonb NOT NULL,      -- version of the text, instant, who gave it
    guardian jsonb,
    status text NOT NULL,
    contact jsonb,               -- the last contact: by, at, outcome, note
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

-- Registrations as facilities and provinces list them: a district's, priority groups first.
CREATE TABLE registration_by_district (
    district_code text NOT NULL,
    priority bigint NOT NULL,
    person_id uuid NOT NULL,
    ward_code text NOT NULL,
    status text NOT NULL,
    PRIMARY KEY (district_code, priority, person_id)
);

-- A vaccination session: a facility, a day, so many places.
CREATE TABLE session (
    facility_code text NOT NULL,
    session_id uuid NOT NULL,
    on_day date NOT NULL,
    begins text NOT NULL,        -- HH:MM
    ends text NOT NULL,
    product text,
    capacity bigint NOT NULL,
    placed bigint NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (facility_code, session_id)
);

CREATE INDEX session_by_day ON session (facility_code, on_day);

-- Who is placed in a session; and, by person, where.
CREATE TABLE session_place (
    session_id uuid NOT NULL,
    person_id uuid NOT NULL,
    placed_at timestamptz NOT NULL,
    placed_by text NOT NULL,
    PRIMARY KEY (session_id, person_id)
);

CREATE TABLE person_session (
    person_id uuid NOT NULL REFERENCES person (person_id),
    session_id uuid NOT NULL,
    facility_code text NOT NULL,
    PRIMARY KEY (person_id, session_id)
);

-- A dose amended or voided: what it was before, and who did it. One that needs a second person waits for them.
ALTER TABLE dose ADD COLUMN voided_at timestamptz;

CREATE TABLE dose_change (
    person_id uuid NOT NULL,
    change_id uuid NOT NULL,
    dose_id uuid NOT NULL,
    change jsonb NOT NULL,       -- the members that change, or {"void": true}
    before jsonb NOT NULL,
    why text NOT NULL,
    made_by text NOT NULL,
    made_at timestamptz NOT NULL,
    checked_by text,
    applied_at timestamptz,
    refused_at timestamptz,
    PRIMARY KEY (person_id, change_id),
    FOREIGN KEY (person_id, dose_id) REFERENCES dose (person_id, dose_id)
);

-- The changes of a facility's doses that wait for a second person.
CREATE TABLE dose_change_by_facility (
    facility_code text NOT NULL,
    made_at timestamptz NOT NULL,
    change_id uuid NOT NULL,
    person_id uuid NOT NULL,
    PRIMARY KEY (facility_code, made_at, change_id)
);

-- What somebody says is missing or wrong, or a dose that cannot be matched; answered by a facility before its deadline.
CREATE TABLE correction (
    person_id uuid NOT NULL REFERENCES person (person_id),
    correction_id uuid NOT NULL,
    kind text NOT NULL,          -- missing_dose, wrong_data, unclear_person
    facility_code text NOT NULL, -- who is to answer
    status text NOT NULL,        -- open, checking, overdue, accepted, rejected
    claim jsonb NOT NULL,        -- what should be so, numbers sealed; or the candidates of an unclear person
    said text NOT NULL,
    attachment_id uuid,
    steps jsonb NOT NULL,        -- each: at, by, role, place, what, note
    pending jsonb,               -- an acceptance that waits for a second person: what is to be done, by whom
    version bigint NOT NULL,     -- raised by every step: two who answer at once do not both
    made_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    closed_at timestamptz,
    PRIMARY KEY (person_id, correction_id)
);

-- The open ones of a facility, by deadline.
CREATE TABLE correction_by_facility (
    facility_code text NOT NULL,
    due_at timestamptz NOT NULL,
    correction_id uuid NOT NULL,
    person_id uuid NOT NULL,
    overdue boolean NOT NULL,    -- its ticket is open already
    PRIMARY KEY (facility_code, due_at, correction_id)
);

CREATE TABLE attachment (
    person_id uuid NOT NULL,
    attachment_id uuid NOT NULL,
    media text NOT NULL,
    content bytea NOT NULL,      -- AES-256-GCM
    made_at timestamptz NOT NULL,
    PRIMARY KEY (person_id, attachment_id)
);

-- What a person felt after a dose.
CREATE TABLE reaction (
    person_id uuid NOT NULL,
    reaction_id uuid NOT NULL,
    dose_id uuid NOT NULL,
    symptoms jsonb NOT NULL,
    severity text NOT NULL,
    onset_at timestamptz NOT NULL,
    note text NOT NULL,
    made_by text NOT NULL,
    made_at timestamptz NOT NULL,
    PRIMARY KEY (person_id, reaction_id),
    FOREIGN KEY (person_id, dose_id) REFERENCES dose (person_id, dose_id)
);

-- The response centre's cases. The bucket, a hex digit of the id, spreads them.
CREATE TABLE ticket (
    bucket text NOT NULL,
    ticket_id uuid NOT NULL,
    kind text NOT NULL,          -- overdue_correction, severe_reaction, call
    status text NOT NULL,        -- open, assigned, closed
    province_code text NOT NULL,
    about uuid,                  -- the person, if it is about one
    subject_id uuid,             -- the correction or reaction
    assigned_to text,
    said text NOT NULL,
    steps jsonb NOT NULL,
    version bigint NOT NULL,
    made_at timestamptz NOT NULL,
    closed_at timestamptz,
    PRIMARY KEY (bucket, ticket_id)
);

CREATE INDEX ticket_by_province ON ticket (status, province_code, made_at, ticket_id);

-- A backlog file under way: where it stands, and what came of its rows.
CREATE TABLE import (
    import_id uuid PRIMARY KEY,
    facility_code text NOT NULL, -- whose doses, where the file does not say; or ''
    province_code text NOT NULL, -- the facility's, or of whoever sent it; or ''
    reach text NOT NULL,         -- whose doses may be in it: facility, province, all
    made_by text NOT NULL,
    media text NOT NULL,         -- what it was said to be: guess, csv, fhir
    file_hash bytea NOT NULL,    -- SHA-256 of the whole file: the same file goes on where it stopped
    headings jsonb NOT NULL,     -- as the file has them
    status text NOT NULL,        -- waiting, running, done, failed, interrupted
    bytes_total bigint NOT NULL,
    bytes_done bigint NOT NULL,
    rows_done bigint NOT NULL,   -- committed: where to go on
    new_doses bigint NOT NULL,
    known_doses bigint NOT NULL,
    queued bigint NOT NULL,
    rejected bigint NOT NULL,
    started_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    ended_at timestamptz
);

CREATE TABLE import_by_file (
    file_hash bytea NOT NULL,
    facility_code text NOT NULL,
    import_id uuid NOT NULL,
    PRIMARY KEY (file_hash, facility_code)
);

-- Rows that were not taken, to be repaired and sent again.
CREATE TABLE import_reject (
    import_id uuid NOT NULL,
    row_no bigint NOT NULL,      -- the line in the file
    errors jsonb NOT NULL,       -- column, code and sentence of each
    cells bytea NOT NULL,        -- the row as it was, AES-256-GCM
    PRIMARY KEY (import_id, row_no)
);

-- Accounts whose sessions below an epoch are over. Each node reads those of the last hours, for as long as a session lives: the
-- bucket is an hour of UTC.
CREATE TABLE session_end (
    bucket text NOT NULL,        -- YYYY-MM-DDTHH
    account_id uuid NOT NULL,
    epoch bigint NOT NULL,
    PRIMARY KEY (bucket, account_id)
);

-- What each node wrote last, which it looks for on every replica: how far that has come.
CREATE TABLE replica_beat (
    node uuid PRIMARY KEY,       -- the process
    n bigint NOT NULL,
    sent_at timestamptz NOT NULL
);

-- The transparency log. What was signed in one transaction and is not numbered yet: one row of it, however much it was.
CREATE TABLE log_pending (
    batch_id uuid PRIMARY KEY,
    at timestamptz NOT NULL,
    entries bytea NOT NULL       -- 32 bytes after 32: SHA-256 of each Sig_structure
);

-- The tree, 256 hashes a row at most: of level 0 what stands in the log, above it the hashes of full tiles of the level below.
CREATE TABLE log_tile (
    level bigint NOT NULL,
    n bigint NOT NULL,
    hashes bytea NOT NULL,       -- a row only grows
    PRIMARY KEY (level, n)
);

-- How large the tree is and what its root is, as it was signed: one row.
CREATE TABLE log_head (
    origin text PRIMARY KEY,     -- names the log for ever
    size bigint NOT NULL,
    root bytea NOT NULL,
    note text NOT NULL,
    signed_at timestamptz NOT NULL
);

-- Where in the log an entry is, by its first eight bytes as a number of their order.
CREATE TABLE log_entry (
    head bigint NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (head, position)
);

-- What is counted. The outbox: what one transaction changed, written with it; the holder of a lease folds committed rows into
-- the counters and takes them off in the same transaction, so that nothing is counted twice or never.
CREATE TABLE tally (
    tally_id uuid PRIMARY KEY,
    changes text NOT NULL        -- JSON: facts, each with how many more there are
);

-- Sums over what stands in the other tables, a row for each of a place's: a commune, district, province or facility.
CREATE TABLE counter (
    kind text NOT NULL,
    place text NOT NULL,         -- its code, or '' where none is known
    day date NOT NULL,           -- 1970-01-01 where days are not told apart
    slot text NOT NULL,          -- what is told apart beside: a status, a lag, or ''
    value bigint NOT NULL,
    PRIMARY KEY (kind, place, day, slot)
);

-- What each node says of itself every second; gone an hour after its last.
CREATE TABLE beat (
    node_id uuid PRIMARY KEY,
    at timestamptz NOT NULL,     -- by the database's clock
    said jsonb NOT NULL
);

-- The status lists. Where in the transparency log revoked certificates stand: what the lists say.
CREATE TABLE status_invalid (
    position bigint PRIMARY KEY
);

-- Each list as it was signed last.
CREATE TABLE status_list (
    n bigint PRIMARY KEY,
    changed boolean NOT NULL,    -- since then
    token_id uuid NOT NULL,      -- another one each time it is signed
    token bytea NOT NULL
);

-- Up to which revocation event the lists are settled: one row.
CREATE TABLE status_reached (
    topic text PRIMARY KEY,
    version bigint NOT NULL
);
