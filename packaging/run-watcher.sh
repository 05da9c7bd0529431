#!/bin/sh
# Keeps the watcher running where no service manager does.
#
# Promises
# - it restarts a watcher that fails within 5 s
# - at most 5 restarts in any 60 s (as the watcher's settings say); after them it logs
#   an ERROR and exits
# - TERM and INT reach the watcher whenever they come, and HUP once it runs
# - it exits with the watcher's last code, 128 + n for signal n
# - while the watcher runs it sleeps: nothing is polled
#
# Not here: killing a watcher that does not exit.
#
# Commands are substituted with backquotes: bash 5.2 loses a signal if its trap
# runs while bash reads the newer form (2 of 400 in a trial).
# shellcheck disable=SC2006

usage() {
    cat <<'END'
usage: run-watcher.sh [PROGRAM [ARGUMENT...]]

Runs PROGRAM (default: headspace watch) and restarts it when it fails.
Not restarted: exit code 0 (done), 2 (usage), 75 (its own crash limit), 78 (wrong
settings), and any exit after TERM or INT. HUP makes the watcher reload; during the
pause before a restart it ends the pause.

environment:
  HEADSPACE_BIN                      the default program (headspace)
  HEADSPACE_MAX_RESTARTS_PER_MINUTE  0 to 9999 (the watcher's setting
                                     event_system.max_restarts_per_minute; 5
                                     for another PROGRAM)
  HEADSPACE_RESTART_DELAY_SECONDS    pause before a restart, 0 to 4 (1)
  HEADSPACE_RESTART_WINDOW_SECONDS   how long a restart counts, 1 to 9999 (60)
  HEADSPACE_SUPERVISOR_PID_FILE      while running, holds one line: supervisor
                                     pid, watcher pid, restarts, last start
END
}

main() {
    case ${1-} in
        -h | --help) usage; exit 0 ;;
        -*) usage >&2; exit 2 ;;
    esac
    default_restarts=5
    if [ "$#" -eq 0 ]; then
        set -- "${HEADSPACE_BIN:-headspace}" watch
        [ -n "${HEADSPACE_MAX_RESTARTS_PER_MINUTE-}" ] || read_limit_setting "$1"
    fi
    read_settings
    take_signals
    supervise "$@"
}

# The watcher counts restarts too, by its setting. If it cannot say, the default
# stands: it says itself what is wrong when it starts.
read_limit_setting() { # PROGRAM
    limit=`"$1" config show 2>/dev/null </dev/null |
        sed -n 's/^  max_restarts_per_minute: \([0-9]*\).*/\1/p'`
    default_restarts=${limit:-5}
}

read_settings() {
    max_restarts=${HEADSPACE_MAX_RESTARTS_PER_MINUTE:-$default_restarts}
    delay=${HEADSPACE_RESTART_DELAY_SECONDS:-1}
    window=${HEADSPACE_RESTART_WINDOW_SECONDS:-60}
    pid_file=${HEADSPACE_SUPERVISOR_PID_FILE:-}
    require HEADSPACE_MAX_RESTARTS_PER_MINUTE "$max_restarts" 0 9999
    require HEADSPACE_RESTART_DELAY_SECONDS "$delay" 0 4
    require HEADSPACE_RESTART_WINDOW_SECONDS "$window" 1 9999
}

# A leading zero is refused because a shell would read the number as octal.
require() { # NAME VALUE LOWEST HIGHEST
    case $2 in
        *[!0-9]* | 0?* | ?????*) ;;
        *) [ "$2" -lt "$3" ] || [ "$2" -gt "$4" ] || return 0 ;;
    esac
    log ERROR "$1 must be a whole number from $3 to $4, not '$2'"
    exit 78
}

# --- the loop ---------------------------------------------------------------

watcher=       # pid of the watcher while it runs
code=          # how the last one ended
restarts=0     # since this script started
restart_times= # those that still count

supervise() {
    while :; do
        start_watcher "$@"
        await_watcher
        stop_if_final
        stop_if_looping
        log WARN "$ended; restart $((recent + 1)) of at most $max_restarts in $window s, in $delay s"
        pause
        [ -z "$stopping" ] || exit "$code"
        restarts=$((restarts + 1))
    done
}

# For a moment the forked shell still has our handlers, and a signal that comes
# to it then is lost (12 of 400 in a trial). `stop` marks the request before it
# sends the signal, so one of the two is always seen.
start_watcher() {
    started=`date +%s`
    [ "$restarts" -eq 0 ] || restart_times="$restart_times $started"
    {
        trap - TERM INT HUP PIPE EXIT
        [ ! -s "$stop_mark" ] || exit 143
        exec "$@"
    } &
    watcher=$!
    [ -z "$stopping" ] || send TERM
    write_pid_file
}

# `wait` ends early when a trap runs, with 128 + the number of the signal; a
# watcher killed by that signal gives the same answer. So ask again: 127 (no
# such child), or -1 from a bash that dropped the status, means that the first
# answer was the real one.
await_watcher() {
    first=
    while :; do
        caught=
        wait "$watcher" 2>/dev/null
        code=$?
        case " $caught " in
            *" $code "*) first=$code ;;
            *) break ;;
        esac
    done
    case $code in
        127 | -1) code=${first:-$code} ;;
    esac
    ended="watcher (pid $watcher) ended: "
    watcher=
    describe_end
    [ -z "$reminder" ] || end_reminder
}

describe_end() {
    name=
    [ "$code" -le 128 ] || name=`kill -l "$code" 2>/dev/null`
    if [ -n "$name" ]; then
        ended="${ended}signal $name ($((code - 128)))"
    else
        ended="${ended}exit code $code"
    fi
}

stop_if_final() {
    if [ -n "$stopping" ]; then
        log INFO "$ended; stopping on $stopping"
        exit "$code"
    fi
    case $code in
        0) log INFO "$ended; done" ;;
        2) log ERROR "$ended; wrong usage, not restarted: correct the arguments and start again" ;;
        75) log ERROR "$ended; the watcher's crash limit is reached and it is not restarted: find the cause in its log above, then start again" ;;
        78) log ERROR "$ended; its settings are wrong and it is not restarted: correct them (headspace config check) and start again" ;;
        *) return 0 ;;
    esac
    exit "$code"
}

stop_if_looping() {
    now=`date +%s`
    forget_old_restarts
    [ "$recent" -ge "$max_restarts" ] || return 0
    log ERROR "$ended; crash limit reached: $max_restarts restarts in $window s are used up; find the cause in the watcher's log above, then start again"
    exit "$code"
}

# Times are whole seconds, rounded down: only a difference of more than the
# window is surely a whole window. A time in the future means that the clock
# was set back; it counts as now.
forget_old_restarts() {
    kept=
    recent=0
    for time in $restart_times; do
        [ "$time" -le "$now" ] || time=$now
        [ "$((now - time))" -le "$window" ] || continue
        kept="$kept $time"
        recent=$((recent + 1))
    done
    restart_times=$kept
}

pause() {
    sleep "$delay" &
    nap=$!
    [ -z "$stopping" ] || end_pause
    wait "$nap" 2>/dev/null
    nap=
}

# KILL, because any other signal can be lost on a process just forked.
end_pause() {
    [ -z "$nap" ] || kill -s KILL "$nap" 2>/dev/null
}

# --- signals ----------------------------------------------------------------

stopping=  # the signal that asked us to stop
stop_mark= # a file with something in it once we were asked to stop
caught=    # what `wait` answers for the signals that came during it
reminder=  # pid of the process that repeats an INT as TERM
nap=       # pid of the pause before a restart

# A closed log pipe must not end the supervision, hence PIPE.
take_signals() {
    trap 'clean_up' EXIT
    trap 'stop TERM 143' TERM
    trap 'stop INT 130' INT
    trap 'reload' HUP
    trap '' PIPE
    stop_mark=`mktemp "${TMPDIR:-/tmp}/run-watcher.XXXXXX"` || exit 1
    [ -z "$stopping" ] || exit 143
}

stop() { # SIGNAL ANSWER
    caught="$caught $2"
    stopping=$1
    [ -z "$stop_mark" ] || echo "$1" >"$stop_mark"
    send "$1"
    [ "$1" != INT ] || remind_later
    end_pause
}

reload() {
    caught="$caught 129"
    send HUP
    end_pause
}

send() { # SIGNAL
    [ -z "$watcher" ] || kill -s "$1" "$watcher" 2>/dev/null
}

# A shell starts its background commands with INT ignored, and a watcher that
# has not set its own handler yet does not hear it. Nothing starts deaf to TERM,
# so that follows when the time the watcher has for its own end is over.
remind_later() {
    [ -n "$watcher" ] && [ -z "$reminder" ] || return 0
    { sleep 2 && kill -s TERM "$watcher"; } >/dev/null 2>&1 &
    reminder=$!
}

# The `wait` keeps bash from reporting the death.
end_reminder() {
    kill -s KILL "$reminder" 2>/dev/null
    wait "$reminder" 2>/dev/null
    reminder=
}

# --- what others see --------------------------------------------------------

log() { # LEVEL MESSAGE
    printf '%s %s run-watcher: %s\n' "`date -u +%Y-%m-%dT%H:%M:%SZ`" "$1" "$2" >&2
}

# The supervision matters more than the file, so a failure is only logged.
write_pid_file() {
    [ -n "$pid_file" ] || return 0
    (
        umask 077
        rm -f "$pid_file.$$" &&
            echo "$$ $watcher $restarts $started" >"$pid_file.$$" &&
            mv -f "$pid_file.$$" "$pid_file"
    ) 2>/dev/null || log WARN "cannot write the pid file $pid_file"
}

clean_up() {
    [ -z "$stop_mark" ] || rm -f "$stop_mark"
    [ -z "$pid_file" ] || remove_pid_file
}

# Another supervisor may have taken the file over; then it is not ours to remove.
remove_pid_file() {
    owner=
    { read -r owner _ <"$pid_file"; } 2>/dev/null
    [ "$owner" != "$$" ] || rm -f "$pid_file"
    rm -f "$pid_file.$$"
}

main "$@"
