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
    CHECK (ended_at >= started_at)
);
CREATE INDEX agents_project_id ON agents (project_id);
CREATE INDEX agents_parent_agent_id ON agents (parent_agent_id);

CREATE TABLE commands (
    id           INTEGER PRIMARY KEY,
    agent_id     INTEGER NOT NULL REFERENCES agents ON DELETE CASCADE,
    state        TEXT NOT NULL
                 CHECK (state IN ('idle', 'commanded', 'processing', 'awaiting_input', 'complete')),
    started_at   TEXT NOT NULL,
    completed_at TEXT,
    CHECK (completed_at >= started_at)
);
CREATE INDEX commands_agent_id ON commands (agent_id);

CREATE TABLE turns (
    id         INTEGER PRIMARY KEY,
    command_id INTEGER NOT NULL REFERENCES commands ON DELETE CASCADE,
    actor      TEXT NOT NULL CHECK (actor IN ('user', 'agent')),
    intent     TEXT NOT NULL
               CHECK (intent IN ('command', 'answer', 'question', 'completion', 'progress')),
    text       TEXT NOT NULL,
    timestamp  TEXT NOT NULL
);
CREATE INDEX turns_command_id ON turns (command_id);

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
    event_key     TEXT NOT NULL UNIQUE,
    observed      INTEGER NOT NULL DEFAULT 0,
    checkpoint_id INTEGER REFERENCES checkpoints ON DELETE SET NULL,
    source_offset INTEGER
);
-- Every index ends with the row's id here, so the first three also page by id.
CREATE INDEX events_event_type ON events (event_type);
CREATE INDEX events_project_id ON events (project_id);
CREATE INDEX events_agent_id ON events (agent_id);
CREATE INDEX events_timestamp ON events (timestamp);
CREATE INDEX events_event_type_timestamp ON events (event_type, timestamp);
CREATE INDEX events_project_id_timestamp ON events (project_id, timestamp);
CREATE INDEX events_agent_id_timestamp ON events (agent_id, timestamp);
CREATE INDEX events_command_id ON events (command_id) WHERE command_id IS NOT NULL;
CREATE INDEX events_turn_id ON events (turn_id) WHERE turn_id IS NOT NULL;
CREATE INDEX events_checkpoint_id ON events (checkpoint_id, source_offset);

-- Every key a stored fact is known by; a copy that has any of them is no new
-- fact. No foreign key: a fact stays known after its event was pruned.
CREATE TABLE facts (
    key      TEXT PRIMARY KEY,
    event_id INTEGER NOT NULL
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

-- One row per watcher, that is, per host and state folder.
CREATE TABLE watchers (
    id             INTEGER PRIMARY KEY,
    host           TEXT NOT NULL,
    state_dir      TEXT NOT NULL,
    pid            INTEGER NOT NULL,
    version        TEXT NOT NULL,
    started_at     TEXT NOT NULL,
    beat_at        TEXT NOT NULL,
    last_write_at  TEXT,
    events_written INTEGER NOT NULL DEFAULT 0,
    duplicates     INTEGER NOT NULL DEFAULT 0,
    failed_writes  INTEGER NOT NULL DEFAULT 0,
    retries        INTEGER NOT NULL DEFAULT 0,
    rejected       INTEGER NOT NULL DEFAULT 0,
    bytes_behind   INTEGER NOT NULL DEFAULT 0,
    sessions       INTEGER NOT NULL DEFAULT 0,
    state          TEXT NOT NULL,
    reason         TEXT,
    UNIQUE (host, state_dir)
);
