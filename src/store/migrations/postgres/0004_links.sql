-- The session that its process went on in: shown in its place.
ALTER TABLE agents ADD COLUMN successor_id bigint REFERENCES agents ON DELETE SET NULL;
-- The session that it began as a copy of.
ALTER TABLE agents ADD COLUMN forked_from_id bigint REFERENCES agents ON DELETE SET NULL;
-- Machines that it was seen on, beside that of its project: a list.
ALTER TABLE agents ADD COLUMN other_hosts jsonb;

-- Witnessed: a process or a hook tells of it, and not only its transcript.
CREATE OR REPLACE VIEW agent_states AS
SELECT agents.id AS agent_id, session_uuid, project_id, parent_agent_id, title, state, needs, asks,
       since, background, unseen,
       ended_at IS NULL
           AND (last_seen_at > now() - interval '12 hours'
                OR coalesce(jsonb_array_length(open_facts -> 'processes') > 0, false)) AS open,
       last_words, (SELECT max(commands.id) FROM commands WHERE commands.agent_id = agents.id) AS command_id,
       coalesce(jsonb_array_length(open_facts -> 'processes') > 0, false)
           OR coalesce((open_facts ->> 'hooked')::boolean, false) AS witnessed
FROM agents;
