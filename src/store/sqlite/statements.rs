//! What one transaction says to SQLite: ask, and write table by table. Rows come as
//! one list of JSON.

pub const LOCKED: &str = r#"
SELECT id, path, identity, "offset", known_until FROM checkpoints
WHERE host = ?1 AND path IN (SELECT value FROM jsonb_each(?2))"#;

/// What has no checkpoint yet is at its start.
pub const MADE: &str = r#"
INSERT INTO checkpoints (host, path, identity, "offset", updated_at)
SELECT ?1, value, '', 0, ?3 FROM jsonb_each(?2)
WHERE NOT EXISTS (SELECT 1 FROM checkpoints WHERE host = ?1 AND path = value)
RETURNING id, path, identity, "offset", known_until"#;

/// Each is a list: id, path, identity, offset, whether it was rewritten, reading.
pub const MOVED: &str = r#"
UPDATE checkpoints SET
    path = value ->> 1, identity = value ->> 2, "offset" = value ->> 3,
    rewrites = rewrites + (value ->> 4), updated_at = ?2,
    reading = coalesce(value ->> 5, reading), known_until = iif(value ->> 4, 0, known_until)
FROM jsonb_each(?1) WHERE checkpoints.id = value ->> 0"#;

pub const ASK: &str = "
SELECT json_object(
    'facts', json((
        SELECT json_group_array(json_array(asked.key, event_id, agent_id, turn_id))
        FROM jsonb_each(?1) AS asked CROSS JOIN facts ON facts.key = unhex(asked.value)
        LEFT JOIN events ON events.id = event_id)),
    'groups', json((
        SELECT json_group_array((
            SELECT json(json_array(count, turn_id, command_id)) FROM (
                SELECT min(event_id) AS first, count(*) AS count FROM facts
                WHERE facts.key BETWEEN unhex(asked.value || '0000000000000000')
                                    AND unhex(asked.value || 'ffffffffffffffff'))
            LEFT JOIN events ON events.id = first))
        FROM (SELECT value FROM jsonb_each(?2) ORDER BY key) AS asked)),
    'projects', json((
        SELECT json_group_array(json_array(path, id)) FROM projects
        WHERE host = ?3 AND path IN (SELECT value FROM jsonb_each(?4)))),
    'agents', json((
        SELECT json_group_array(json_object(
            'id', a.id, 'session_uuid', session_uuid, 'project_id', project_id,
            'project_path', path, 'parent_agent_id', parent_agent_id,
            'transcript_path', transcript_path, 'working_directory', working_directory,
            'cli', cli, 'started_at', started_at, 'last_seen_at', last_seen_at,
            'ended_at', ended_at, 'end_reason', end_reason, 'registrations', registrations,
            'registered', json(iif(registered, 'true', 'false')), 'terminal', json(terminal),
            'work', json_object(
                'title', title, 'title_kind', title_kind, 'model', model,
                'context_tokens', context_tokens, 'todos', json(todos),
                'queue_length', queue_length, 'permission_mode', permission_mode,
                'newest', json(newest)),
            'shown', json_object(
                'state', a.state, 'needs', needs, 'asks', asks, 'since', since,
                'background', background, 'unseen', json(iif(unseen, 'true', 'false')),
                'last_words', last_words, 'viewed_at', viewed_at,
                'snoozed_until', snoozed_until),
            'successor_id', successor_id, 'forked_from_id', forked_from_id,
            'host', host, 'other_hosts', json(other_hosts)))
        FROM agents AS a JOIN projects ON projects.id = project_id
        WHERE a.id IN (
            SELECT id FROM agents WHERE session_uuid IN (SELECT value FROM jsonb_each(?5))
            UNION
            SELECT child.id FROM (
                WITH RECURSIVE below AS (
                    SELECT id FROM agents WHERE session_uuid IN (SELECT value FROM jsonb_each(?6))
                    UNION SELECT child.id FROM below
                    JOIN agents AS child ON child.parent_agent_id = below.id)
                SELECT id FROM below) AS below
            JOIN agents AS child USING (id)
            WHERE child.state <> 'idle' OR child.needs <> 'none' OR EXISTS (
                SELECT 1 FROM commands WHERE agent_id = child.id AND commands.state <> 'complete')))),
    'ids', json_object(
        'projects', json_object('from', (SELECT coalesce(max(id), 0) + 1 FROM projects)),
        'agents', json_object('from', (SELECT coalesce(max(id), 0) + 1 FROM agents)),
        'commands', json_object('from', (SELECT coalesce(max(id), 0) + 1 FROM commands)),
        'turns', json_object('from', (SELECT coalesce(max(id), 0) + 1 FROM turns))))";

/// Beside the one document, since a document is parsed where it is put into another.
pub const OPEN_FACTS: &str = "
SELECT session_uuid, open_facts FROM agents
WHERE session_uuid IN (SELECT value FROM jsonb_each(?1)) AND open_facts IS NOT NULL";

pub const HEARD: &str = "
SELECT asked.value, event_id FROM jsonb_each(?1) AS asked CROSS JOIN facts
ON facts.key = unhex(asked.value)";

pub const PROJECTS: &str = "
INSERT INTO projects (id, host, path, name, git_remote, current_branch, created_at)
SELECT value ->> 'id', ?1, value ->> 'path', value ->> 'name', value ->> 'git_remote',
       value ->> 'current_branch', ?2
FROM jsonb_each(?3) WHERE true
ON CONFLICT (id) DO UPDATE SET
    git_remote = coalesce(excluded.git_remote, git_remote),
    current_branch = coalesce(excluded.current_branch, current_branch)";

pub const AGENTS: &str = "
INSERT INTO agents (
    id, session_uuid, project_id, parent_agent_id, transcript_path, working_directory,
    cli, started_at, last_seen_at, ended_at, end_reason, registrations, iterm_pane_id,
    registered, terminal, open_facts,
    title, title_kind, model, context_tokens, todos, queue_length, permission_mode, newest,
    state, needs, asks, since, background, unseen, last_words, viewed_at, snoozed_until,
    successor_id, forked_from_id, other_hosts)
SELECT value ->> 'id', value ->> 'session_uuid', value ->> 'project_id',
       value ->> 'parent_agent_id', value ->> 'transcript_path', value ->> 'working_directory',
       value ->> 'cli', value ->> 'started_at', value ->> 'last_seen_at', value ->> 'ended_at',
       value ->> 'end_reason', value ->> 'registrations', value ->> 'iterm_pane_id',
       value ->> 'registered', value ->> 'terminal', value ->> 'open_facts',
       value ->> '$.work.title', value ->> '$.work.title_kind', value ->> '$.work.model',
       value ->> '$.work.context_tokens', nullif(value -> '$.work.todos', 'null'),
       value ->> '$.work.queue_length', value ->> '$.work.permission_mode',
       value -> '$.work.newest',
       value ->> '$.shown.state', value ->> '$.shown.needs', value ->> '$.shown.asks',
       value ->> '$.shown.since', value ->> '$.shown.background', value ->> '$.shown.unseen',
       value ->> '$.shown.last_words', value ->> '$.shown.viewed_at',
       value ->> '$.shown.snoozed_until',
       value ->> 'successor_id', value ->> 'forked_from_id',
       nullif(value -> 'other_hosts', '[]')
-- The limit keeps each row's value, which would else be made anew for each column.
FROM (SELECT value FROM jsonb_each(?1) LIMIT -1) WHERE true
ON CONFLICT (id) DO UPDATE SET
    parent_agent_id = excluded.parent_agent_id,
    transcript_path = excluded.transcript_path, working_directory = excluded.working_directory,
    started_at = excluded.started_at, last_seen_at = excluded.last_seen_at,
    ended_at = excluded.ended_at, end_reason = excluded.end_reason,
    registrations = excluded.registrations,
    iterm_pane_id = coalesce(excluded.iterm_pane_id, iterm_pane_id),
    registered = max(excluded.registered, registered),
    terminal = coalesce(excluded.terminal, terminal), open_facts = excluded.open_facts,
    title = excluded.title, title_kind = excluded.title_kind, model = excluded.model,
    context_tokens = excluded.context_tokens, todos = excluded.todos,
    queue_length = excluded.queue_length, permission_mode = excluded.permission_mode,
    newest = excluded.newest,
    state = excluded.state, needs = excluded.needs, asks = excluded.asks, since = excluded.since,
    background = excluded.background, unseen = excluded.unseen,
    last_words = excluded.last_words, viewed_at = excluded.viewed_at,
    snoozed_until = excluded.snoozed_until,
    successor_id = excluded.successor_id, forked_from_id = excluded.forked_from_id,
    other_hosts = excluded.other_hosts";

/// A result stands over an interruption, and else the first end counts.
pub const TOOL_USES: &str = "
INSERT INTO tool_uses (agent_id, command_id, tool_use_id, name, summary, started_at, ended_at,
                       outcome)
SELECT value ->> 'agent_id', value ->> 'command_id', value ->> 'tool_use_id', coalesce(value ->> 'name', 'unknown'),
       coalesce(value ->> 'summary', ''), value ->> 'started_at', value ->> 'ended_at',
       value ->> 'outcome'
FROM jsonb_each(?1) WHERE true
ON CONFLICT (tool_use_id) DO UPDATE SET
    command_id = CASE WHEN excluded.agent_id = agent_id THEN coalesce(command_id, excluded.command_id)
                      ELSE command_id END,
    name = CASE excluded.name WHEN 'unknown' THEN name ELSE excluded.name END,
    summary = CASE excluded.summary WHEN '' THEN summary ELSE excluded.summary END,
    started_at = min(started_at, excluded.started_at),
    ended_at = CASE WHEN coalesce(outcome, 'interrupted') = 'interrupted'
                    THEN coalesce(excluded.ended_at, ended_at) ELSE ended_at END,
    outcome = CASE WHEN coalesce(outcome, 'interrupted') = 'interrupted'
                   THEN coalesce(excluded.outcome, outcome) ELSE outcome END";

/// Each ends what its agent had open, in the order of time.
pub const INTERRUPTIONS: &str = "
UPDATE tool_uses SET outcome = 'interrupted', ended_at = (
    SELECT min(value ->> 'at') FROM jsonb_each(?1)
    WHERE value ->> 'agent_id' = agent_id AND value ->> 'at' >= started_at)
WHERE agent_id IN (SELECT value ->> 'agent_id' FROM jsonb_each(?1)) AND outcome IS NULL
  AND started_at <= (
    SELECT max(value ->> 'at') FROM jsonb_each(?1) WHERE value ->> 'agent_id' = agent_id)";

/// A message's records grow as it is written; the first agent keeps it.
pub const USAGE: &str = "
INSERT INTO usage (message_id, agent_id, model, input, output, cache_read, cache_write, at)
SELECT value ->> 'message_id', value ->> 'agent_id', value ->> 'model', value ->> 'input',
       value ->> 'output', value ->> 'cache_read', value ->> 'cache_write', value ->> 'at'
FROM jsonb_each(?1) WHERE true
ON CONFLICT (message_id) DO UPDATE SET
    model = excluded.model, input = excluded.input, output = excluded.output,
    cache_read = excluded.cache_read, cache_write = excluded.cache_write, at = excluded.at
WHERE (excluded.at, excluded.output) >= (usage.at, usage.output)";

pub const COMMANDS: &str = "
INSERT INTO commands (id, agent_id, state, origin, outcome, started_at, completed_at)
SELECT value ->> 'id', value ->> 'agent_id', value ->> 'state', value ->> 'origin',
       value ->> 'outcome', value ->> 'started_at', value ->> 'completed_at'
FROM jsonb_each(?1) WHERE true
ON CONFLICT (id) DO UPDATE SET
    state = excluded.state, origin = excluded.origin, outcome = excluded.outcome,
    started_at = excluded.started_at, completed_at = excluded.completed_at";

pub const CHANGED_TURNS: &str = "
UPDATE turns SET text = text || (value ->> 'more'),
                 intent = coalesce(value ->> 'intent', intent)
FROM jsonb_each(?1) WHERE turns.id = value ->> 'id'";

pub const LINKED: &str = "
UPDATE events SET turn_id = value ->> 'id', command_id = value ->> 'command_id'
FROM jsonb_each(?1) WHERE events.id = value ->> 'event_id'";
/// Counts the hooks after this event.
pub const HOOKS: &str = "
INSERT INTO hook_counts
SELECT payload ->> 'hook_type', count(*), max(timestamp) FROM events
WHERE id > ?1 AND event_type = 'hook_received'
GROUP BY payload ->> 'hook_type'
ON CONFLICT (hook_type) DO UPDATE SET
    count = count + excluded.count,
    last_received_at = max(last_received_at, excluded.last_received_at)";

/// The rows are one object: each key in hex, with its event.
pub const FACTS: &str =
    "INSERT INTO facts (key, event_id) SELECT unhex(key), value FROM jsonb_each(?1)";
