-- The log and what is derived from it. Times are text of one fixed width
-- (2026-11-21T01:02:03.000004Z): they sort, and SQLite's functions read them.

CREATE TABLE projects (
    id             INTEGER PRIMARY KEY,
    host           TEXT NOT NULL,
    path           TEXT NOT NULL,
    name           TEXT NOT NULL,
    git_remote     TEXT,
    current_branch TEXT,
    created_at     TEXT NOT NULL,
    UNIQUE (host, path)
);

CREATE TABLE agents (
    id                INTEGER PRIMARY KEY,
    session_uuid      TEXT NOT NULL UNIQUE,
    project_id        INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE,
    parent_agent_id   INTEGER REFERENCES agents ON DELETE SET NULL,
    iterm_pane_id     TEXT,
    transcript_path   TEXT,
    working_directory TEXT NOT NULL,
    cli               TEXT NOT NULL,
    started_at        TEXT NOT NULL,
    last_seen_at      TEXT NOT NULL,
    ended_at          TEXT,
    end_reason        TEXT,
    registrations     INTEGER NOT NULL DEFAULT 1,
    title             TEXT,
    model             TEXT,
    context_tokens    INTEGER,
    terminal          TEXT,
    open_facts        TEXT,
    state             TEXT NOT NULL DEFAULT 'idle'
                      CHECK (state IN ('idle', 'commanded', 'processing', 'awaiting_input', 'complete')),
    needs             TEXT NOT NULL DEFAULT 'none'
                      CHECK (needs IN ('permission', 'question', 'plan', 'dialog', 'asked', 'error', 'limit', 'none')),
    asks              TEXT,
    since             TEXT,
    background        INTEGER NOT NULL DEFAULT 0,
    unseen            INTEGER NOT NULL DEFAULT 0,
    last_words        TEXT,
    CHECK (ended_at >= started_at)
);
CREATE INDEX agents_project_id ON agents (project_id);
CREATE INDEX agents_parent_agent_id ON agents (parent_agent_id);

CREATE TABLE commands (
    id           INTEGER PRIMARY KEY,
    agent_id     INTEGER NOT NULL REFERENCES agents ON DELETE CASCADE,
    state        TEXT NOT NULL
                 CHECK (state IN ('idle', 'commanded', 'processing', 'awaiting_input', 'complete')),
    origin       TEXT NOT NULL DEFAULT 'unknown'
                 CHECK (origin IN ('human', 'queued', 'task', 'cron', 'peer', 'hook', 'unknown')),
    outcome      TEXT
                 CHECK (outcome IN ('done', 'asked', 'interrupted', 'failed', 'abandoned', 'superseded')),
    started_at   TEXT NOT NULL,
    completed_at TEXT,
    CHECK (completed_at >= started_at)
);
CREATE INDEX commands_agent_id ON commands (agent_id);

CREATE VIEW agent_states AS
SELECT agents.id AS agent_id, session_uuid, project_id, parent_agent_id, title, state, needs, asks,
       since, background, unseen, ended_at IS NULL AS open, last_words,
       (SELECT max(commands.id) FROM commands WHERE commands.agent_id = agents.id) AS command_id
FROM agents;

CREATE TABLE turns (
    id         INTEGER PRIMARY KEY,
    command_id INTEGER NOT NULL REFERENCES commands ON DELETE CASCADE,
    actor      TEXT NOT NULL CHECK (actor IN ('user', 'agent')),
    intent     TEXT NOT NULL
               CHECK (intent IN ('command', 'answer', 'question', 'completion', 'progress')),
    text       TEXT NOT NULL,
    timestamp  TEXT NOT NULL,
    message_id TEXT,
    event_id   INTEGER NOT NULL
);
CREATE INDEX turns_command_id ON turns (command_id);

CREATE TABLE tool_uses (
    id          INTEGER PRIMARY KEY,
    agent_id    INTEGER NOT NULL REFERENCES agents ON DELETE CASCADE,
    command_id  INTEGER REFERENCES commands ON DELETE SET NULL,
    tool_use_id TEXT NOT NULL UNIQUE,
    name        TEXT NOT NULL,
    summary     TEXT NOT NULL CHECK (length(summary) <= 200),
    started_at  TEXT NOT NULL,
    ended_at    TEXT,
    outcome     TEXT CHECK (outcome IN ('ok', 'error', 'denied', 'interrupted'))
);
CREATE INDEX tool_uses_agent_id ON tool_uses (agent_id);
CREATE INDEX tool_uses_command_id ON tool_uses (command_id);

-- The last record of a message counts; a copy of it counts once.
CREATE TABLE usage (
    message_id  TEXT PRIMARY KEY,
    agent_id    INTEGER NOT NULL REFERENCES agents ON DELETE CASCADE,
    model       TEXT NOT NULL,
    input       INTEGER NOT NULL,
    output      INTEGER NOT NULL,
    cache_read  INTEGER NOT NULL,
    cache_write INTEGER NOT NULL,
    at          TEXT NOT NULL
);
CREATE INDEX usage_agent_id ON usage (agent_id);

-- One row per input file: how far it was read, and what stood before that.
CREATE TABLE checkpoints (
    id         INTEGER PRIMARY KEY,
    host       TEXT NOT NULL,
    path       TEXT NOT NULL,
    identity   TEXT NOT NULL,
    "offset"   INTEGER NOT NULL,
    rewrites   INTEGER NOT NULL DEFAULT 0,
    updated_at TEXT NOT NULL,
    UNIQUE (host, path)
);

-- AUTOINCREMENT: an id is never used twice, whatever was deleted.
CREATE TABLE events (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    timestamp     TEXT NOT NULL,
    recorded_at   TEXT NOT NULL,
    project_id    INTEGER REFERENCES projects ON DELETE SET NULL,
    agent_id      INTEGER REFERENCES agents ON DELETE SET NULL,
    command_id    INTEGER REFERENCES commands ON DELETE SET NULL,
    turn_id       INTEGER REFERENCES turns ON DELETE SET NULL,
    event_type    TEXT NOT NULL,
    payload       TEXT NOT NULL CHECK (json_valid(payload)),
    event_key     BLOB NOT NULL,
    observed      INTEGER NOT NULL DEFAULT 0,
    checkpoint_id INTEGER REFERENCES checkpoints ON DELETE SET NULL,
    source_offset INTEGER
);
-- The first three serve pages, which go by id: every index ends with the row's id
-- here. Turns are so many that a page of them is found without an index; for other
-- types, say so: event_type = 'hook_received' AND event_type <> 'turn_detected'.
-- A range of times is cut out by the fourth, to the second, in a third of the space
-- of the texts: unixepoch(timestamp) >= unixepoch('2026-11-21T01:02:03Z').
CREATE INDEX events_event_type ON events (event_type) WHERE event_type <> 'turn_detected';
CREATE INDEX events_project_id ON events (project_id);
CREATE INDEX events_agent_id ON events (agent_id);
CREATE INDEX events_timestamp ON events (unixepoch(timestamp));
CREATE INDEX events_command_id ON events (command_id) WHERE command_id IS NOT NULL;
CREATE INDEX events_turn_id ON events (turn_id) WHERE turn_id IS NOT NULL;
CREATE INDEX events_checkpoint_id ON events (checkpoint_id, source_offset);

-- Every key a stored fact is known by; a copy that has any of them is no new
-- fact. Eight bytes of the digest of the key's group, then eight of its own, so that
-- a group is a range. No foreign key: a fact stays known after its event was pruned.
CREATE TABLE facts (
    key      BLOB PRIMARY KEY,
    event_id INTEGER NOT NULL
) WITHOUT ROWID;

-- What was read, compressed: by file, by how often the file was rewritten, by offset.
CREATE TABLE archive (
    checkpoint_id INTEGER NOT NULL REFERENCES checkpoints ON DELETE CASCADE,
    generation    INTEGER NOT NULL,
    "offset"      INTEGER NOT NULL,
    length        INTEGER NOT NULL,
    content       BLOB NOT NULL,
    PRIMARY KEY (checkpoint_id, generation, "offset")
) WITHOUT ROWID;

CREATE TABLE rejections (
    id            INTEGER PRIMARY KEY,
    source        TEXT NOT NULL,
    "offset"      INTEGER NOT NULL,
    length        INTEGER NOT NULL,
    sha256        TEXT NOT NULL,
    reason        TEXT NOT NULL,
    excerpt       BLOB NOT NULL,
    at            TEXT NOT NULL,
    rejection_key TEXT NOT NULL UNIQUE
);

-- One row per watcher, that is, per host and state folder. What it counts since its
-- start is one column, so that a new counter changes no table; the public names among
-- the counters are columns that are computed from it.
CREATE TABLE watchers (
    id             INTEGER PRIMARY KEY,
    host           TEXT NOT NULL,
    state_dir      TEXT NOT NULL,
    pid            INTEGER NOT NULL,
    version        TEXT NOT NULL,
    started_at     TEXT NOT NULL,
    beat_at        TEXT NOT NULL,
    last_write_at  TEXT,
    state          TEXT NOT NULL,
    reason         TEXT,
    counters       TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(counters)),
    events_written INTEGER AS (coalesce(counters ->> 'events_written', 0)),
    failed_writes  INTEGER AS (coalesce(counters ->> 'failed_writes', 0)),
    retries        INTEGER AS (coalesce(counters ->> 'retries', 0)),
    rejected       INTEGER AS (coalesce(counters ->> 'rejected', 0)),
    bytes_behind   INTEGER AS (coalesce(counters ->> 'bytes_behind', 0)),
    UNIQUE (host, state_dir)
);

-- One row: which log this is. Another database has another one.
CREATE TABLE log (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    log_id TEXT NOT NULL
);
INSERT INTO log (id, log_id) VALUES (1, lower(hex(randomblob(16))));
