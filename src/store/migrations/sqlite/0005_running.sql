-- What an agent is at is its newest call without an end; those with one are thousands.
CREATE INDEX tool_uses_running ON tool_uses (agent_id) WHERE ended_at IS NULL;
