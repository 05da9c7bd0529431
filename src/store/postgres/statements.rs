//! What one transaction says to PostgreSQL: lock, ask, write.

use super::super::archive::keep::keep;

/// Rows that are new or changed, from a list of JSON.
macro_rules! put_commands {
    ($rows:literal) => {
        concat!(
            "
    INSERT INTO commands (id, agent_id, state, origin, outcome, started_at, completed_at)
    SELECT id, agent_id, state, origin, outcome, started_at, completed_at
    FROM jsonb_to_recordset(",
            $rows,
            ") AS row (
        id bigint, agent_id bigint, state text, origin text, outcome text,
        started_at timestamptz, completed_at timestamptz)
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

/// Everything in one statement. The wake-up is part of the transaction: readers
/// receive it when its events are visible. It carries no data and may be lost.
macro_rules! write {
    ($more:expr) => {
        concat!(
            r#"
WITH some_projects AS (
    INSERT INTO projects AS p (id, host, path, name, git_remote, current_branch, created_at)
    SELECT id, $1, path, name, git_remote, current_branch, clock_timestamp()
    FROM jsonb_to_recordset($2) AS row (
        id bigint, path text, name text, git_remote text, current_branch text)
    ON CONFLICT (id) DO UPDATE SET
        git_remote = coalesce(excluded.git_remote, p.git_remote),
        current_branch = coalesce(excluded.current_branch, p.current_branch)
), some_agents AS (
    INSERT INTO agents AS a (
        id, session_uuid, project_id, parent_agent_id, transcript_path, working_directory,
        cli, started_at, last_seen_at, ended_at, end_reason, registrations, iterm_pane_id,
        registered, terminal, open_facts, title, title_kind, model, context_tokens, todos,
        queue_length, permission_mode, newest, state, needs, asks, since, background, unseen,
        last_words, viewed_at, snoozed_until, successor_id, forked_from_id, other_hosts)
    SELECT id, session_uuid, project_id, parent_agent_id, transcript_path, working_directory,
           cli, started_at, last_seen_at, ended_at, end_reason, registrations, iterm_pane_id,
           registered, terminal, open_facts, work ->> 'title', work ->> 'title_kind',
           work ->> 'model', (work ->> 'context_tokens')::bigint,
           nullif(work -> 'todos', 'null'), (work ->> 'queue_length')::bigint,
           work ->> 'permission_mode', work -> 'newest', shown ->> 'state', shown ->> 'needs',
           shown ->> 'asks', (shown ->> 'since')::timestamptz,
           (shown ->> 'background')::bigint, (shown ->> 'unseen')::boolean,
           shown ->> 'last_words', (shown ->> 'viewed_at')::timestamptz,
           (shown ->> 'snoozed_until')::timestamptz, successor_id, forked_from_id,
           nullif(other_hosts, '[]')
    FROM jsonb_to_recordset($3) AS row (
        id bigint, session_uuid text, project_id bigint, parent_agent_id bigint,
        transcript_path text, working_directory text, cli text, started_at timestamptz,
        last_seen_at timestamptz, ended_at timestamptz, end_reason text, registrations bigint,
        iterm_pane_id text, registered boolean, terminal jsonb, open_facts jsonb, work jsonb,
        shown jsonb, successor_id bigint, forked_from_id bigint, other_hosts jsonb)
    ON CONFLICT (id) DO UPDATE SET
        parent_agent_id = excluded.parent_agent_id,
        transcript_path = excluded.transcript_path,
        working_directory = excluded.working_directory,
        started_at = least(a.started_at, excluded.started_at),
        last_seen_at = greatest(a.last_seen_at, excluded.last_seen_at),
        ended_at = CASE WHEN excluded.registrations > a.registrations THEN excluded.ended_at
                        ELSE coalesce(excluded.ended_at, a.ended_at) END,
        end_reason = CASE WHEN excluded.registrations > a.registrations THEN excluded.end_reason
                          ELSE coalesce(excluded.end_reason, a.end_reason) END,
        registrations = greatest(a.registrations, excluded.registrations),
        iterm_pane_id = coalesce(excluded.iterm_pane_id, a.iterm_pane_id),
        registered = excluded.registered OR a.registered,
        terminal = coalesce(excluded.terminal, a.terminal), open_facts = excluded.open_facts,
        title = excluded.title, title_kind = excluded.title_kind, model = excluded.model,
        context_tokens = excluded.context_tokens, todos = excluded.todos,
        queue_length = excluded.queue_length, permission_mode = excluded.permission_mode,
        newest = excluded.newest,
        state = excluded.state, needs = excluded.needs, asks = excluded.asks,
        since = excluded.since, background = excluded.background, unseen = excluded.unseen,
        last_words = excluded.last_words, viewed_at = excluded.viewed_at,
        snoozed_until = excluded.snoozed_until,
        successor_id = excluded.successor_id, forked_from_id = excluded.forked_from_id,
        other_hosts = excluded.other_hosts
), calls AS (
    SELECT * FROM jsonb_to_recordset($30) AS row (
        tool_use_id text, agent_id bigint, command_id bigint, name text, summary text, started_at timestamptz,
        ended_at timestamptz, outcome text)
), some_tool_uses AS (
    INSERT INTO tool_uses AS t (
        agent_id, command_id, tool_use_id, name, summary, started_at, ended_at, outcome)
    SELECT agent_id, command_id, tool_use_id, coalesce(name, 'unknown'), coalesce(summary, ''), started_at,
           ended_at, outcome
    FROM calls ORDER BY tool_use_id
    ON CONFLICT (tool_use_id) DO UPDATE SET
        command_id = CASE WHEN excluded.agent_id = t.agent_id
                          THEN coalesce(t.command_id, excluded.command_id)
                          ELSE t.command_id END,
        name = CASE excluded.name WHEN 'unknown' THEN t.name ELSE excluded.name END,
        summary = CASE excluded.summary WHEN '' THEN t.summary ELSE excluded.summary END,
        started_at = least(t.started_at, excluded.started_at),
        ended_at = CASE WHEN coalesce(t.outcome, 'interrupted') = 'interrupted'
                        THEN coalesce(excluded.ended_at, t.ended_at) ELSE t.ended_at END,
        outcome = CASE WHEN coalesce(t.outcome, 'interrupted') = 'interrupted'
                       THEN coalesce(excluded.outcome, t.outcome) ELSE t.outcome END
), ends AS (
    SELECT * FROM jsonb_to_recordset($31) AS row (agent_id bigint, at timestamptz)
), some_interruptions AS (
    UPDATE tool_uses t SET outcome = 'interrupted', ended_at = (
        SELECT min(at) FROM ends WHERE ends.agent_id = t.agent_id AND at >= started_at)
    WHERE agent_id IN (SELECT agent_id FROM ends) AND outcome IS NULL
      AND started_at <= (SELECT max(at) FROM ends WHERE ends.agent_id = t.agent_id)
      AND tool_use_id NOT IN (SELECT tool_use_id FROM calls)
), some_usage AS (
    INSERT INTO usage AS u (
        message_id, agent_id, model, input, output, cache_read, cache_write, at)
    SELECT message_id, agent_id, model, input, output, cache_read, cache_write, at
    FROM jsonb_to_recordset($32) AS row (
        message_id text, agent_id bigint, model text, input bigint, output bigint,
        cache_read bigint, cache_write bigint, at timestamptz)
    ORDER BY message_id
    ON CONFLICT (message_id) DO UPDATE SET
        model = excluded.model, input = excluded.input, output = excluded.output,
        cache_read = excluded.cache_read, cache_write = excluded.cache_write, at = excluded.at
    WHERE (excluded.at, excluded.output) >= (u.at, u.output)
), new AS MATERIALIZED (
    SELECT n, next_event_id() AS id FROM generate_series(0, $4 - 1) AS n
), some_events AS (
    INSERT INTO events (id, timestamp, recorded_at, event_type, payload, event_key, project_id,
                        agent_id, command_id, turn_id, checkpoint_id, source_offset, observed)
    SELECT id, at::timestamptz, clock_timestamp(), kind, payload::jsonb, key, project_id,
           agent_id, command_id, turn_id, checkpoint_id, source_offset, observed
    FROM unnest($5::text[], $6::text[], $7::text[], $8::bytea[], $9::bigint[], $10::bigint[],
                $11::bigint[], $12::bigint[], $13::boolean[], $33::bigint[], $34::bigint[])
         WITH ORDINALITY
         AS row (at, kind, payload, key, project_id, agent_id, checkpoint_id, source_offset,
                 observed, command_id, turn_id, n)
    JOIN new ON new.n = row.n - 1
    ORDER BY id
    RETURNING event_type, payload, timestamp
), some_hooks AS (
    INSERT INTO hook_counts AS h
    SELECT payload ->> 'hook_type' AS hook_type, count(*), max(timestamp) FROM some_events
    WHERE event_type = 'hook_received' GROUP BY hook_type ORDER BY hook_type
    ON CONFLICT (hook_type) DO UPDATE SET
        count = h.count + excluded.count,
        last_received_at = greatest(h.last_received_at, excluded.last_received_at)
), some_commands AS (
"#,
            put_commands!("$35"),
            r#"
), some_turns AS (
    INSERT INTO turns (id, command_id, actor, intent, text, timestamp, message_id, event_id)
    SELECT row.id, command_id, actor, intent, text, at::timestamptz, message_id,
           coalesce(event_id, new.id)
    FROM unnest($36::bigint[], $37::bigint[], $38::text[], $39::text[], $40::text[],
                $41::text[], $42::text[], $43::bigint[], $44::bigint[])
         AS row (id, command_id, actor, intent, text, at, message_id, event_id, planned)
    LEFT JOIN new ON n = planned
), some_changed_turns AS (
    UPDATE turns t SET text = t.text || row.more, intent = coalesce(row.intent, t.intent)
    FROM jsonb_to_recordset($45) AS row (id bigint, more text, intent text)
    WHERE t.id = row.id
), some_linked AS (
    UPDATE events e SET turn_id = row.id, command_id = row.command_id
    FROM jsonb_to_recordset($46) AS row (event_id bigint, id bigint, command_id bigint)
    WHERE e.id = row.event_id
), some_facts AS (
    INSERT INTO facts (key, event_id)
    SELECT key, coalesce(event_id, id)
    FROM unnest($14::bytea[], $15::bigint[], $16::bigint[]) AS row (key, event_id, planned)
    LEFT JOIN new ON n = planned
    ORDER BY key
), some_rejections AS (
    INSERT INTO rejections (source, "offset", length, sha256, reason, excerpt, at, rejection_key)
    SELECT source, "offset", length, sha256, reason, excerpt, clock_timestamp(), key
    FROM unnest($17::text[], $18::bigint[], $19::bigint[], $20::text[], $21::text[],
                $22::bytea[], $23::text[])
         AS row (source, "offset", length, sha256, reason, excerpt, key)
    ON CONFLICT (rejection_key) DO NOTHING
    RETURNING id
), some_moves AS (
    UPDATE checkpoints c
    SET path = row.path, identity = row.identity, "offset" = row."offset",
        rewrites = c.rewrites + row.rewrites, updated_at = clock_timestamp(),
        reading = coalesce(row.reading, c.reading),
        known_until = CASE WHEN row.rewrites > 0 THEN 0 ELSE c.known_until END
    FROM unnest($24::bigint[], $25::text[], $26::text[], $27::bigint[], $28::bigint[],
                $29::bigint[])
         AS row (id, path, identity, "offset", rewrites, reading)
    WHERE c.id = row.id
)"#,
            $more,
            r#"
SELECT (SELECT max(id) FROM new), (SELECT count(*) FROM some_rejections),
       pg_notify('headspace_events', '')::text"#
        )
    };
}

pub const WRITE: &str = write!("");
/// A role needs rights on the archive only where something is kept.
pub const WRITE_AND_KEEP: &str = write!(concat!(
    ", some_archive AS (",
    keep!("$47", "$48", "$49", "$50", "$51"),
    ")"
));
