//! All that a transaction adds, as one statement.

use super::{super::archive::keep::keep, statements::put_commands};

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
    SELECT * FROM unnest($32::text[], $33::bigint[], $34::bigint[], $35::text[], $36::text[],
                         $37::timestamptz[], $38::timestamptz[], $39::text[])
        AS row (tool_use_id, agent_id, command_id, name, summary, started_at, ended_at, outcome)
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
    SELECT * FROM jsonb_to_recordset($40) AS row (agent_id bigint, at timestamptz)
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
    FROM unnest($41::text[], $42::bigint[], $43::text[], $44::bigint[], $45::bigint[],
                $46::bigint[], $47::bigint[], $48::timestamptz[])
        AS row (message_id, agent_id, model, input, output, cache_read, cache_write, at)
    ORDER BY message_id
    ON CONFLICT (message_id) DO UPDATE SET
        model = excluded.model, input = excluded.input, output = excluded.output,
        cache_read = excluded.cache_read, cache_write = excluded.cache_write, at = excluded.at
    WHERE (excluded.at, excluded.output) >= (u.at, u.output)
), new AS MATERIALIZED (
    -- In the order of the plan. The transaction is known as running before it draws the
    -- first: see events_id_seq in the migrations.
    SELECT array_agg(id ORDER BY id) AS ids FROM (
        SELECT nextval('events_id_seq') AS id FROM generate_series(1, $4)
        WHERE pg_current_xact_id() IS NOT NULL) AS drawn
), some_events AS (
    INSERT INTO events (id, timestamp, recorded_at, event_type, payload, event_key, project_id,
                        agent_id, command_id, turn_id, checkpoint_id, source_offset, observed)
    SELECT (SELECT ids FROM new)[n], at, clock_timestamp(), kind, payload::jsonb, key, project_id,
           agent_id, command_id, turn_id, checkpoint_id, source_offset, observed
    FROM unnest($5::timestamptz[], $6::text[], $7::text[], $8::bytea[], $9::bigint[],
                $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[],
                $15::boolean[]) WITH ORDINALITY
         AS row (at, kind, payload, key, project_id, agent_id, command_id, turn_id,
                 checkpoint_id, source_offset, observed, n)
), some_hooks AS (
    INSERT INTO hook_counts AS h
    SELECT payload::jsonb ->> 'hook_type' AS hook_type, count(*), max(at)
    FROM unnest($5::timestamptz[], $6::text[], $7::text[]) AS row (at, kind, payload)
    WHERE kind = 'hook_received' GROUP BY hook_type ORDER BY hook_type
    ON CONFLICT (hook_type) DO UPDATE SET
        count = h.count + excluded.count,
        last_received_at = greatest(h.last_received_at, excluded.last_received_at)
), some_commands AS (
"#,
            put_commands!(
                "unnest($49::bigint[], $50::bigint[], $51::text[], $52::text[], $53::text[],
                $54::timestamptz[], $55::timestamptz[])
        AS row (id, agent_id, state, origin, outcome, started_at, completed_at)"
            ),
            r#"
), some_turns AS (
    INSERT INTO turns (id, command_id, actor, intent, text, timestamp, message_id, event_id)
    SELECT id, command_id, actor, intent, text, at, message_id,
           coalesce(event_id, (SELECT ids FROM new)[planned + 1])
    FROM unnest($56::bigint[], $57::bigint[], $58::text[], $59::text[], $60::text[],
                $61::timestamptz[], $62::text[], $63::bigint[], $64::bigint[])
         AS row (id, command_id, actor, intent, text, at, message_id, event_id, planned)
), some_changed_turns AS (
    UPDATE turns t SET text = t.text || row.more, intent = coalesce(row.intent, t.intent)
    FROM jsonb_to_recordset($65) AS row (id bigint, more text, intent text)
    WHERE t.id = row.id
), some_linked AS (
    UPDATE events e SET turn_id = row.id, command_id = row.command_id
    FROM jsonb_to_recordset($66) AS row (event_id bigint, id bigint, command_id bigint)
    WHERE e.id = row.event_id
), some_facts AS (
    INSERT INTO facts (key, event_id)
    SELECT key, coalesce(event_id, (SELECT ids FROM new)[planned + 1])
    FROM unnest($16::bytea[], $17::bigint[], $18::bigint[]) AS row (key, event_id, planned)
), some_rejections AS (
    INSERT INTO rejections (source, "offset", length, sha256, reason, excerpt, at, rejection_key)
    SELECT source, "offset", length, sha256, reason, excerpt, clock_timestamp(), key
    FROM unnest($19::text[], $20::bigint[], $21::bigint[], $22::text[], $23::text[],
                $24::bytea[], $25::text[])
         AS row (source, "offset", length, sha256, reason, excerpt, key)
    ON CONFLICT (rejection_key) DO NOTHING
    RETURNING id
), some_moves AS (
    UPDATE checkpoints c
    SET path = row.path, identity = row.identity, "offset" = row."offset",
        rewrites = c.rewrites + row.rewrites, updated_at = clock_timestamp(),
        reading = coalesce(row.reading, c.reading),
        known_until = CASE WHEN row.rewrites > 0 THEN 0 ELSE c.known_until END
    FROM unnest($26::bigint[], $27::text[], $28::text[], $29::bigint[], $30::bigint[],
                $31::bigint[])
         AS row (id, path, identity, "offset", rewrites, reading)
    WHERE c.id = row.id
)"#,
            $more,
            r#"
SELECT (SELECT ids FROM new)[$4], (SELECT count(*) FROM some_rejections),
       pg_notify('headspace_events', '')::text"#
        )
    };
}

pub const WRITE: &str = write!("");
/// A role needs rights on the archive only where something is kept.
pub const WRITE_AND_KEEP: &str = write!(concat!(
    ", some_archive AS (",
    keep!("$67", "$68", "$69", "$70", "$71"),
    ")"
));
