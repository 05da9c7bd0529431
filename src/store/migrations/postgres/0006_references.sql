-- An event refers to five rows. A foreign key asks for each of them in a query of its own,
-- event by event: that was a third of what storing took. So the events of one statement are
-- checked together. What a foreign key promises stays: a row that is not there is refused, one
-- that is there stays until the transaction is over, and when it is deleted later, its events
-- forget it. One thing is weaker: who deletes in a transaction that is REPEATABLE READ does not
-- see events that came after it began.
ALTER TABLE events
    DROP CONSTRAINT events_project_id_fkey,
    DROP CONSTRAINT events_agent_id_fkey,
    DROP CONSTRAINT events_command_id_fkey,
    DROP CONSTRAINT events_turn_id_fkey,
    DROP CONSTRAINT events_checkpoint_id_fkey;

-- As with a foreign key, these are the rights of the owner of the tables.
CREATE FUNCTION events_refer() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    missing record;
BEGIN
    SELECT * INTO missing FROM (
        SELECT 'project', id FROM (SELECT DISTINCT project_id FROM written) AS named (id)
        WHERE id IS NOT NULL
          AND NOT EXISTS (SELECT FROM projects p WHERE p.id = named.id FOR KEY SHARE)
        UNION ALL
        SELECT 'agent', id FROM (SELECT DISTINCT agent_id FROM written) AS named (id)
        WHERE id IS NOT NULL
          AND NOT EXISTS (SELECT FROM agents a WHERE a.id = named.id FOR KEY SHARE)
        UNION ALL
        SELECT 'command', id FROM (SELECT DISTINCT command_id FROM written) AS named (id)
        WHERE id IS NOT NULL
          AND NOT EXISTS (SELECT FROM commands c WHERE c.id = named.id FOR KEY SHARE)
        UNION ALL
        SELECT 'turn', id FROM (SELECT DISTINCT turn_id FROM written) AS named (id)
        WHERE id IS NOT NULL
          AND NOT EXISTS (SELECT FROM turns t WHERE t.id = named.id FOR KEY SHARE)
        UNION ALL
        SELECT 'checkpoint', id FROM (SELECT DISTINCT checkpoint_id FROM written) AS named (id)
        WHERE id IS NOT NULL
          AND NOT EXISTS (SELECT FROM checkpoints c WHERE c.id = named.id FOR KEY SHARE)
    ) AS missing (kind, id) LIMIT 1;
    IF FOUND THEN
        RAISE foreign_key_violation USING
            MESSAGE = format('an event refers to %s %s, which is not there', missing.kind, missing.id);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER events_refer AFTER INSERT ON events
REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION events_refer();

-- Few events change, and mostly to forget: only what an event newly refers to is checked.
CREATE FUNCTION event_refers() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    id bigint;
BEGIN
    EXECUTE format('SELECT ($1).%I', TG_ARGV[1]) INTO id USING NEW;
    EXECUTE format('SELECT id FROM %I WHERE id = $1 FOR KEY SHARE', TG_ARGV[0]) INTO id USING id;
    IF id IS NULL THEN
        RAISE foreign_key_violation USING
            MESSAGE = format('an event refers to a row of %s that is not there', TG_ARGV[0]);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER event_refers_to_project AFTER UPDATE OF project_id ON events FOR EACH ROW
WHEN (NEW.project_id IS NOT NULL AND NEW.project_id IS DISTINCT FROM OLD.project_id) EXECUTE FUNCTION event_refers('projects', 'project_id');
CREATE TRIGGER event_refers_to_agent AFTER UPDATE OF agent_id ON events FOR EACH ROW
WHEN (NEW.agent_id IS NOT NULL AND NEW.agent_id IS DISTINCT FROM OLD.agent_id) EXECUTE FUNCTION event_refers('agents', 'agent_id');
CREATE TRIGGER event_refers_to_command AFTER UPDATE OF command_id ON events FOR EACH ROW
WHEN (NEW.command_id IS NOT NULL AND NEW.command_id IS DISTINCT FROM OLD.command_id) EXECUTE FUNCTION event_refers('commands', 'command_id');
CREATE TRIGGER event_refers_to_turn AFTER UPDATE OF turn_id ON events FOR EACH ROW
WHEN (NEW.turn_id IS NOT NULL AND NEW.turn_id IS DISTINCT FROM OLD.turn_id) EXECUTE FUNCTION event_refers('turns', 'turn_id');
CREATE TRIGGER event_refers_to_checkpoint AFTER UPDATE OF checkpoint_id ON events FOR EACH ROW
WHEN (NEW.checkpoint_id IS NOT NULL AND NEW.checkpoint_id IS DISTINCT FROM OLD.checkpoint_id) EXECUTE FUNCTION event_refers('checkpoints', 'checkpoint_id');

-- The column that refers to the table is the trigger's argument.
CREATE FUNCTION events_forget() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        EXECUTE format('UPDATE events SET %1$I = NULL WHERE %1$I IS NOT NULL', TG_ARGV[0]);
    ELSE
        EXECUTE format('UPDATE events SET %1$I = NULL WHERE %1$I IN (SELECT id FROM gone)', TG_ARGV[0]);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER projects_forgotten AFTER DELETE ON projects
REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION events_forget('project_id');
CREATE TRIGGER agents_forgotten AFTER DELETE ON agents
REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION events_forget('agent_id');
CREATE TRIGGER commands_forgotten AFTER DELETE ON commands
REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION events_forget('command_id');
CREATE TRIGGER turns_forgotten AFTER DELETE ON turns
REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION events_forget('turn_id');
CREATE TRIGGER checkpoints_forgotten AFTER DELETE ON checkpoints
REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION events_forget('checkpoint_id');
CREATE TRIGGER projects_truncated AFTER TRUNCATE ON projects
FOR EACH STATEMENT EXECUTE FUNCTION events_forget('project_id');
CREATE TRIGGER agents_truncated AFTER TRUNCATE ON agents
FOR EACH STATEMENT EXECUTE FUNCTION events_forget('agent_id');
CREATE TRIGGER commands_truncated AFTER TRUNCATE ON commands
FOR EACH STATEMENT EXECUTE FUNCTION events_forget('command_id');
CREATE TRIGGER turns_truncated AFTER TRUNCATE ON turns
FOR EACH STATEMENT EXECUTE FUNCTION events_forget('turn_id');
CREATE TRIGGER checkpoints_truncated AFTER TRUNCATE ON checkpoints
FOR EACH STATEMENT EXECUTE FUNCTION events_forget('checkpoint_id');
