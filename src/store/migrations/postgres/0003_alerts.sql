-- What was told of each wait, and in which way. A row is committed before its alert is
-- sent, so that none is sent twice. One message may tell of several waits.
CREATE TABLE alerts (
    agent_id     bigint NOT NULL REFERENCES agents ON DELETE CASCADE,
    kind         text NOT NULL CHECK (kind IN
                 ('permission', 'question', 'plan', 'dialog', 'asked', 'error', 'limit', 'finished')),
    opened_at    timestamptz NOT NULL,
    way          text NOT NULL CHECK (way IN ('desktop', 'webhook', 'command')),
    repeat       boolean NOT NULL DEFAULT false,
    message      text NOT NULL,
    sent_at      timestamptz NOT NULL,
    withdrawn_at timestamptz,
    -- By which its receiver knows the message.
    receipt      text,
    PRIMARY KEY (agent_id, kind, opened_at, way, repeat)
);
CREATE INDEX alerts_open ON alerts (message) WHERE withdrawn_at IS NULL;
