-- What was told of each wait, and in which way. A row is committed before its alert is
-- sent, so that none is sent twice. One message may tell of several waits.
CREATE TABLE alerts (
    agent_id     INTEGER NOT NULL REFERENCES agents ON DELETE CASCADE,
    kind         TEXT NOT NULL CHECK (kind IN
                 ('permission', 'question', 'plan', 'dialog', 'asked', 'error', 'limit', 'finished')),
    opened_at    TEXT NOT NULL,
    way          TEXT NOT NULL CHECK (way IN ('desktop', 'webhook', 'command')),
    repeat       INTEGER NOT NULL DEFAULT 0,
    message      TEXT NOT NULL,
    sent_at      TEXT NOT NULL,
    withdrawn_at TEXT,
    -- By which its receiver knows the message.
    receipt      TEXT,
    PRIMARY KEY (agent_id, kind, opened_at, way, repeat)
) WITHOUT ROWID;
CREATE INDEX alerts_open ON alerts (message) WHERE withdrawn_at IS NULL;
