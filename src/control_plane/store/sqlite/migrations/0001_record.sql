-- The record as it began: documents, what they are found by, histories and blobs.

CREATE TABLE records (
    id      INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    region  TEXT NOT NULL,
    kind    TEXT NOT NULL,
    key     TEXT NOT NULL,
    version INTEGER NOT NULL,
    body    TEXT NOT NULL,
    UNIQUE (account, region, kind, key)
) STRICT;

-- The key is repeated here, so that a page is one walk along this table's own order.
CREATE TABLE terms (
    account TEXT NOT NULL,
    region  TEXT NOT NULL,
    kind    TEXT NOT NULL,
    name    TEXT NOT NULL,
    value   TEXT NOT NULL,
    sort    TEXT NOT NULL,
    key     TEXT NOT NULL,
    record  INTEGER NOT NULL REFERENCES records (id) ON DELETE CASCADE,
    PRIMARY KEY (account, region, kind, name, value, sort, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX terms_of_record ON terms (record);

CREATE TABLE changes (
    account  TEXT NOT NULL,
    region   TEXT NOT NULL,
    arn      TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    previous TEXT,
    status   TEXT NOT NULL,
    detail   TEXT NOT NULL,
    PRIMARY KEY (account, region, arn, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE blobs (
    id      INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    region  TEXT NOT NULL,
    kind    TEXT NOT NULL,
    key     TEXT NOT NULL,
    bytes   BLOB NOT NULL,
    UNIQUE (account, region, kind, key)
) STRICT;
