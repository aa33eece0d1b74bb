-- The index over the ledger: nothing in it that the ledger does not have, so it can be deleted at any time.
-- One schema for SQLite and PostgreSQL: only types and clauses that mean the same in both. `at`, `first` and `last` are
-- microseconds since 1970; truth values are 0 and 1.

CREATE TABLE meta (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE record (
    idx BIGINT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    agent TEXT,
    session TEXT,
    call TEXT,
    subject TEXT,
    person TEXT,
    tool TEXT,
    -- What was answered to a call, and what policy said where that differs.
    verdict TEXT,
    judged TEXT,
    rule TEXT,
    -- What the record is about, on one line.
    title TEXT NOT NULL,
    -- Everything that a person may look for, in lower case.
    search TEXT NOT NULL,
    -- The fields as JSON.
    body TEXT NOT NULL
);
CREATE INDEX record_at ON record (at);
CREATE INDEX record_kind ON record (kind, idx);
CREATE INDEX record_session ON record (session, idx) WHERE session IS NOT NULL;
CREATE INDEX record_call ON record (call) WHERE call IS NOT NULL;
CREATE INDEX record_subject ON record (subject, idx) WHERE subject IS NOT NULL;
CREATE INDEX record_verdict ON record (verdict, idx) WHERE verdict IS NOT NULL;
CREATE INDEX record_judged ON record (judged, idx) WHERE judged IS NOT NULL;
CREATE INDEX record_rule ON record (rule, idx) WHERE rule IS NOT NULL;

CREATE TABLE effect (
    idx BIGINT NOT NULL,
    place INTEGER NOT NULL,
    kind TEXT NOT NULL,
    surface TEXT NOT NULL,
    target TEXT,
    PRIMARY KEY (idx, place)
);
CREATE INDEX effect_kind ON effect (kind, idx);
CREATE INDEX effect_target ON effect (target, idx) WHERE target IS NOT NULL;

CREATE TABLE session (
    id TEXT NOT NULL PRIMARY KEY,
    agent TEXT,
    subject TEXT,
    person TEXT,
    workspace TEXT,
    mode TEXT,
    attended INTEGER NOT NULL,
    first BIGINT NOT NULL,
    last BIGINT NOT NULL,
    ended INTEGER NOT NULL,
    records BIGINT NOT NULL,
    free BIGINT NOT NULL,
    contained BIGINT NOT NULL,
    asked BIGINT NOT NULL,
    denied BIGINT NOT NULL,
    ran BIGINT NOT NULL,
    failed BIGINT NOT NULL
);
CREATE INDEX session_last ON session (last);

-- How often what happened, by the hour (hours since 1970): `verdict`, `stopped` (by rule), `surface`, `effect`.
CREATE TABLE tally (
    hour BIGINT NOT NULL,
    what TEXT NOT NULL,
    name TEXT NOT NULL,
    count BIGINT NOT NULL,
    PRIMARY KEY (what, hour, name)
);

-- Searches that people keep.
CREATE TABLE saved (
    name TEXT NOT NULL,
    subject TEXT NOT NULL,
    query TEXT NOT NULL,
    PRIMARY KEY (subject, name)
);
