//! What one transaction says to PostgreSQL before it writes: lock, ask.

/// Rows that are new or changed, from any list of them.
macro_rules! put_commands {
    ($rows:literal) => {
        concat!(
            "
    INSERT INTO commands (id, agent_id, state, origin, outcome, started_at, completed_at)
    SELECT id, agent_id, state, origin, outcome, started_at, completed_at
    FROM ",
            $rows,
            "
    ON CONFLICT (id) DO UPDATE SET
        state = excluded.state, origin = excluded.origin, outcome = excluded.outcome,
        started_at = excluded.started_at, completed_at = excluded.completed_at"
        )
    };
}
pub(super) use put_commands;

/// Makes what is not there, and locks what is. What another transaction made
/// after this statement began is neither.
pub const LOCK: &str = r#"
WITH made AS (
    INSERT INTO checkpoints (host, path, identity, "offset", updated_at)
    SELECT $1, path, '', 0, clock_timestamp() FROM unnest($2::text[]) AS asked (path)
    WHERE NOT EXISTS (SELECT FROM checkpoints c WHERE c.host = $1 AND c.path = asked.path)
    ON CONFLICT (host, path) DO NOTHING
    RETURNING id, path, identity, "offset", known_until
), locked AS (
    SELECT id, path, identity, "offset", known_until FROM checkpoints
    WHERE host = $1 AND path = ANY($2) ORDER BY path FOR UPDATE
)
SELECT * FROM made UNION ALL SELECT * FROM locked"#;

/// Sequences give each id once, so what is drawn here is not given to another writer:
/// one for each thing said and each subagent that hears of it, and some for what a late
/// witness changes.
/// The agents' rows are locked, in one order: they stay as they are until they are written.
pub const ASK: &str = r#"
WITH RECURSIVE below AS (
    SELECT id FROM agents WHERE session_uuid = ANY($7)
    UNION SELECT child.id FROM below JOIN agents child ON child.parent_agent_id = below.id
), children AS MATERIALIZED (
    SELECT child.id FROM below JOIN agents child USING (id)
    WHERE child.state <> 'idle' OR child.needs <> 'none' OR EXISTS (
        SELECT FROM commands c WHERE c.agent_id = child.id AND c.state <> 'complete')
), numbers AS MATERIALIZED (
    -- A late witness can make all commands anew that are kept of an agent.
    SELECT n FROM generate_series(
        1, $6 + 8 * (1 + cardinality($5::text[]) + (SELECT count(*) FROM children))) AS n
)
SELECT json_build_object(
    'facts', (
        SELECT coalesce(json_agg(json_build_array(n - 1, event_id, agent_id, turn_id)), '[]')
        FROM unnest($1::bytea[]) WITH ORDINALITY AS asked (key, n) JOIN facts USING (key)
        LEFT JOIN events ON events.id = event_id),
    'groups', (
        SELECT coalesce(json_agg((
            SELECT json_build_array(count, turn_id, command_id) FROM (
                SELECT min(event_id) AS first, count(*) FROM facts
                WHERE key BETWEEN start || '\x0000000000000000'::bytea
                              AND start || '\xffffffffffffffff'::bytea) AS found
            LEFT JOIN events ON events.id = first) ORDER BY n), '[]')
        FROM unnest($2::bytea[]) WITH ORDINALITY AS asked (start, n)),
    'projects', (
        SELECT coalesce(json_agg(json_build_array(path, id)), '[]')
        FROM projects WHERE host = $3 AND path = ANY($4)),
    'agents', (
        SELECT coalesce(json_agg(json_build_object(
            'id', a.id, 'session_uuid', session_uuid, 'project_id', project_id,
            'project_path', path, 'parent_agent_id', parent_agent_id,
            'transcript_path', transcript_path, 'working_directory', working_directory,
            'cli', cli, 'started_at', started_at, 'last_seen_at', last_seen_at,
            'ended_at', ended_at, 'end_reason', end_reason, 'registrations', registrations,
            'registered', registered, 'terminal', terminal, 'open_facts', open_facts,
            'work', json_build_object(
                'title', title, 'title_kind', title_kind, 'model', model,
                'context_tokens', context_tokens, 'todos', todos,
                'queue_length', queue_length, 'permission_mode', permission_mode,
                'newest', newest),
            'shown', json_build_object(
                'state', state, 'needs', needs, 'asks', asks, 'since', since,
                'background', background, 'unseen', unseen, 'last_words', last_words,
                'viewed_at', viewed_at, 'snoozed_until', snoozed_until),
            'successor_id', successor_id, 'forked_from_id', forked_from_id,
            'host', host, 'other_hosts', other_hosts)), '[]')
        FROM (SELECT * FROM agents
              WHERE id IN (SELECT id FROM agents WHERE session_uuid = ANY($5)
                           UNION SELECT id FROM children)
              ORDER BY session_uuid FOR UPDATE) a
        JOIN projects p ON p.id = project_id),
    'heard', (
        SELECT coalesce(json_agg(json_build_array(heard ->> 'key', event_id)), '[]')
        FROM agents, jsonb_array_elements(open_facts -> 'heard') AS heard
        JOIN facts ON key = decode(heard ->> 'key', 'hex')
        WHERE session_uuid = ANY($5)),
    'ids', json_build_object(
        'projects', (
            SELECT coalesce(json_agg(nextval('projects_id_seq') ORDER BY path DESC), '[]')
            FROM unnest($4::text[]) AS asked (path)
            WHERE NOT EXISTS (SELECT FROM projects p WHERE host = $3 AND p.path = asked.path)),
        'agents', (
            SELECT coalesce(json_agg(nextval('agents_id_seq') ORDER BY session DESC), '[]')
            FROM unnest($5::text[]) AS asked (session)
            WHERE NOT EXISTS (SELECT FROM agents WHERE session_uuid = session)),
        'commands', (SELECT coalesce(json_agg(nextval('commands_id_seq') ORDER BY n DESC), '[]')
                     FROM numbers),
        'turns', (SELECT coalesce(json_agg(nextval('turns_id_seq') ORDER BY n DESC), '[]')
                  FROM numbers)))"#;
