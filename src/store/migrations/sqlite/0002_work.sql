-- What an agent works at, beside what it says.
ALTER TABLE agents ADD COLUMN title_kind TEXT
    CHECK (title_kind IN ('custom', 'ai', 'agent', 'prompt'));
ALTER TABLE agents ADD COLUMN todos TEXT CHECK (json_valid(todos));
ALTER TABLE agents ADD COLUMN queue_length INTEGER NOT NULL DEFAULT 0;
ALTER TABLE agents ADD COLUMN permission_mode TEXT;
-- A program registered it: watched also where only such sessions are.
ALTER TABLE agents ADD COLUMN registered INTEGER NOT NULL DEFAULT 0;
-- When a person looked at it last, and until when it is put off.
ALTER TABLE agents ADD COLUMN viewed_at TEXT;
ALTER TABLE agents ADD COLUMN snoozed_until TEXT;
-- The moments behind the columns that show the newest of something.
ALTER TABLE agents ADD COLUMN newest TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(newest));

-- Which version of this program's reading the file's rows come from. An older one is
-- read once more from the start; up to known_until its facts are stored already.
ALTER TABLE checkpoints ADD COLUMN reading INTEGER NOT NULL DEFAULT 0;
ALTER TABLE checkpoints ADD COLUMN known_until INTEGER NOT NULL DEFAULT 0;

-- Open: it has not ended, and was seen in the last twelve hours or has a living process.
DROP VIEW agent_states; CREATE VIEW agent_states AS
SELECT agents.id AS agent_id, session_uuid, project_id, parent_agent_id, title, state, needs, asks,
       since, background, unseen,
       ended_at IS NULL
           AND (last_seen_at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-12 hours')
                OR coalesce(json_array_length(open_facts, '$.processes') > 0, false)) AS open,
       last_words, (SELECT max(commands.id) FROM commands WHERE commands.agent_id = agents.id) AS command_id
FROM agents;

-- How many hooks of each type came, and when the last one: counting them in the log
-- takes seconds when they are a million.
CREATE TABLE hook_counts (
    hook_type        TEXT PRIMARY KEY,
    count            INTEGER NOT NULL,
    last_received_at TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO hook_counts
SELECT payload ->> 'hook_type', count(*), max(timestamp) FROM events
WHERE event_type = 'hook_received' AND event_type <> 'turn_detected'
GROUP BY payload ->> 'hook_type';
