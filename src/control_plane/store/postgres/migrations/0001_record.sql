-- The record as it began: documents, what they are found by, histories and blobs; the tables of the embedded database,
-- without its row numbers. The order of text is that of its bytes, whatever the database's own collation is. Kinds
-- come first in keys: everything that is read belongs to one.

CREATE TABLE records (
    kind    text COLLATE "C" NOT NULL,
    account text COLLATE "C" NOT NULL,
    region  text COLLATE "C" NOT NULL,
    key     text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    body    text NOT NULL,
    PRIMARY KEY (kind, account, region, key)
-- An update changes no indexed column, so with room on its page it touches no index.
) WITH (fillfactor = 80);

CREATE TABLE terms (
    kind    text COLLATE "C" NOT NULL,
    account text COLLATE "C" NOT NULL,
    region  text COLLATE "C" NOT NULL,
    name    text COLLATE "C" NOT NULL,
    value   text COLLATE "C" NOT NULL,
    sort    text COLLATE "C" NOT NULL,
    key     text COLLATE "C" NOT NULL,
    PRIMARY KEY (kind, account, region, name, value, sort, key)
);

CREATE INDEX terms_of_record ON terms (kind, account, region, key);

CREATE TABLE changes (
    account  text COLLATE "C" NOT NULL,
    region   text COLLATE "C" NOT NULL,
    arn      text COLLATE "C" NOT NULL,
    sequence bigint NOT NULL,
    at       bigint NOT NULL,
    previous text,
    status   text NOT NULL,
    detail   text NOT NULL,
    PRIMARY KEY (account, region, arn, sequence)
);

CREATE TABLE blobs (
    kind    text COLLATE "C" NOT NULL,
    account text COLLATE "C" NOT NULL,
    region  text COLLATE "C" NOT NULL,
    key     text COLLATE "C" NOT NULL,
    bytes   bytea NOT NULL,
    PRIMARY KEY (kind, account, region, key)
);

-- Blobs are archives and ciphertexts: trying to compress them costs time and saves nothing.
ALTER TABLE blobs ALTER COLUMN bytes SET STORAGE EXTERNAL;
