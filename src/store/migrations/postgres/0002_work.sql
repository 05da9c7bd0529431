-- What an agent works at, beside what it says.
ALTER TABLE agents ADD COLUMN title_kind text
    CHECK (title_kind IN ('custom', 'ai', 'agent', 'prompt'));
ALTER TABLE agents ADD COLUMN todos jsonb;
ALTER TABLE agents ADD COLUMN queue_length bigint NOT NULL DEFAULT 0;
ALTER TABLE agents ADD COLUMN permission_mode text;
-- A program registered it: watched also where only such sessions are.
ALTER TABLE agents ADD COLUMN registered boolean NOT NULL DEFAULT false;
-- When a person looked at it last, and until when it is put off.
ALTER TABLE agents ADD COLUMN viewed_at timestamptz;
ALTER TABLE agents ADD COLUMN snoozed_until timestamptz;
-- The moments behind the columns that show the newest of something.
ALTER TABLE agents ADD COLUMN newest jsonb NOT NULL DEFAULT '{}';

-- Which version of this program's reading the file's rows come from. An older one is
-- read once more from the start; up to known_until its facts are stored already.
ALTER TABLE checkpoints ADD COLUMN reading bigint NOT NULL DEFAULT 0;
ALTER TABLE checkpoints ADD COLUMN known_until bigint NOT NULL DEFAULT 0;
-- Its content is compressed already.
ALTER TABLE archive ALTER COLUMN content SET STORAGE EXTERNAL;

-- Open: it has not ended, and was seen in the last twelve hours or has a living process.
CREATE OR REPLACE VIEW agent_states AS
SELECT agents.id AS agent_id, session_uuid, project_id, parent_agent_id, title, state, needs, asks,
       since, background, unseen,
       ended_at IS NULL
           AND (last_seen_at > now() - interval '12 hours'
                OR coalesce(jsonb_array_length(open_facts -> 'processes') > 0, false)) AS open,
       last_words, (SELECT max(commands.id) FROM commands WHERE commands.agent_id = agents.id) AS command_id
FROM agents;

-- How many hooks of each type came, and when the last one: counting them in the log
-- takes seconds when they are a million.
CREATE TABLE hook_counts (
    hook_type        text PRIMARY KEY,
    count            bigint NOT NULL,
    last_received_at timestamptz NOT NULL
);
INSERT INTO hook_counts
SELECT payload ->> 'hook_type', count(*), max(timestamp) FROM events
WHERE event_type = 'hook_received' GROUP BY payload ->> 'hook_type';
