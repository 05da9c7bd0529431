#!/bin/sh
# What packaging/run-watcher.sh promises, tried with real processes.
#
#   run-watcher.test.sh [SHELL...]     (default: dash, bash, "busybox sh")
#
# The shells are tried side by side. perl plays the watcher, because a shell
# cannot trap an INT that is ignored when it starts.

tests='
    it_is_restarted_within_five_seconds_of_an_unexpected_end
    each_restart_is_one_log_line_with_time_reason_and_count
    a_death_by_signal_is_logged_with_its_name
    the_sixth_crash_within_a_minute_is_the_last
    the_limit_holds_in_any_window_not_only_from_the_first_restart
    the_count_is_forgotten_after_a_quiet_minute
    term_is_forwarded_and_the_watchers_code_is_the_exit_code
    int_is_forwarded_and_the_watchers_code_is_the_exit_code
    an_int_that_was_not_heard_is_followed_by_term
    a_second_term_is_forwarded_too
    a_watcher_killed_while_stopping_gives_128_and_the_signal
    hup_is_forwarded_and_supervision_goes_on
    a_signal_at_any_moment_ends_both
    a_signal_in_a_crash_loop_ends_it_at_any_moment
    a_signal_to_the_whole_group_gives_the_watchers_own_code
    term_in_the_pause_exits_at_once_with_the_last_code
    a_clean_end_is_not_restarted
    bad_configuration_and_wrong_usage_are_not_restarted
    a_missing_program_is_a_failure_like_any_other
    the_pid_file_holds_pids_restarts_and_start_and_is_removed_at_the_end
    the_pid_file_of_another_supervisor_stays
    a_pid_file_that_cannot_be_written_does_not_stop_the_watcher
    arguments_arrive_unchanged
    without_arguments_it_runs_headspace_watch
    the_limit_is_the_watchers_own_setting
    a_log_that_nobody_reads_does_not_end_the_supervision
    settings_that_make_no_sense_are_refused
    nothing_is_left_behind
    an_idle_supervisor_is_never_woken
'

# --- the promises -----------------------------------------------------------

it_is_restarted_within_five_seconds_of_an_unexpected_end() {
    unset HEADSPACE_RESTART_DELAY_SECONDS
    plan 'exit 1' 'serve 0'
    supervise
    await 'a second start' started 2
    perl -e 'open F, "life"; @t = map { (split)[1] } grep { /^(end|start)/ } <F>;
             exit !($t[2] - $t[1] <= 5)' || fail "the restart came late"
    stop_with TERM 0
}

each_restart_is_one_log_line_with_time_reason_and_count() {
    plan 'exit 3' 'exit 4' 'serve 0'
    supervise
    await 'a third start' started 3
    stop_with TERM 0
    [ "$(grep -c WARN log)" -eq 2 ] || fail "not one line for each restart"
    utc='20[0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]Z'
    for expected in \
        "$(pid_of 1)) ended: exit code 3; restart 1 of at most 5 in 60 s, in 0 s" \
        "$(pid_of 2)) ended: exit code 4; restart 2 of at most 5 in 60 s, in 0 s"; do
        grep -q "^$utc WARN run-watcher: watcher (pid $expected\$" log || fail "no line: $expected"
    done
}

a_death_by_signal_is_logged_with_its_name() {
    plan 'serve 0'
    supervise
    await 'a start' ready 1
    kill -s KILL "$(pid_of 1)"
    await 'a second start' ready 2
    grep -q "watcher (pid $(pid_of 1)) ended: signal KILL (9); restart 1 of" log || fail 'no such line'
    stop_with TERM 0
}

the_sixth_crash_within_a_minute_is_the_last() {
    plan 'exit 7'
    supervise
    ends_with 7
    started 6 || fail 'not six starts'
    [ "$(grep -c 'WARN.*restart' log)" -eq 5 ] || fail 'not five restarts in the log'
    [ "$(grep -c ERROR log)" -eq 1 ] || fail 'not one line of level ERROR'
    grep -q 'ERROR.*exit code 7; crash limit reached: 5 restarts in 60 s.*then start again' log ||
        fail 'the line does not say what happened and what to do'
}

the_limit_holds_in_any_window_not_only_from_the_first_restart() {
    export HEADSPACE_RESTART_WINDOW_SECONDS=6 HEADSPACE_MAX_RESTARTS_PER_MINUTE=2
    plan 'exit 1' 'serve 0' 'serve 0' 'exit 9'
    supervise
    await 'the first restart' ready 1
    first=$(start_in_pid_file)
    await 'most of the window' clock_is "$((first + 4))"
    kill -s KILL "$(pid_of 2)"
    await 'the second restart' ready 2
    await 'the end of the first window' clock_is "$((first + 7))"
    kill -s KILL "$(pid_of 3)"
    ends_with 9
    started 4 || fail 'the first restart still counted, or the second no longer did'
    [ "$(grep -c 'restart 2 of at most 2 in 6 s' log)" -eq 2 ] || fail 'wrong counts in the log'
}

the_count_is_forgotten_after_a_quiet_minute() {
    export HEADSPACE_RESTART_WINDOW_SECONDS=2 HEADSPACE_MAX_RESTARTS_PER_MINUTE=1
    plan 'exit 1' 'serve 0'
    supervise
    await 'the restart' ready 1
    await 'a quiet window' clock_is "$(($(start_in_pid_file) + 3))"
    kill -s KILL "$(pid_of 2)"
    await 'another restart' ready 2
    [ "$(grep -c 'restart 1 of at most 1 in 2 s' log)" -eq 2 ] || fail 'the count went on'
    stop_with TERM 0
}

term_is_forwarded_and_the_watchers_code_is_the_exit_code() {
    plan 'serve 5'
    supervise
    await 'a start' ready 1
    stop_with TERM 5
    heard TERM 1 || fail 'the watcher did not hear TERM once'
    started 1 || fail 'it was restarted'
}

int_is_forwarded_and_the_watchers_code_is_the_exit_code() {
    plan 'serve 6'
    supervise
    await 'a start' ready 1
    stop_with INT 6
    heard INT 1 || fail 'the watcher did not hear INT once'
    heard TERM 0 || fail 'the watcher heard TERM too'
    started 1 || fail 'it was restarted'
}

an_int_that_was_not_heard_is_followed_by_term() {
    plan 'deaf 8'
    supervise
    await 'a start' ready 1
    stop_with INT 8
    heard TERM 1 || fail 'the watcher did not hear TERM'
}

a_second_term_is_forwarded_too() {
    plan 'serve 4 2'
    supervise
    await 'a start' ready 1
    kill -s TERM "$supervisor"
    await 'the first TERM' heard TERM 1
    ended && fail 'it did not wait for the watcher'
    stop_with TERM 4
    heard TERM 2 || fail 'the watcher did not hear TERM twice'
}

a_watcher_killed_while_stopping_gives_128_and_the_signal() {
    plan 'serve 0 2'
    supervise
    await 'a start' ready 1
    kill -s TERM "$supervisor"
    await 'TERM' heard TERM 1
    kill -s KILL "$(pid_of 1)"
    ends_with 137
    started 1 || fail 'it was restarted'
}

hup_is_forwarded_and_supervision_goes_on() {
    plan 'serve 0'
    supervise
    await 'a start' ready 1
    kill -s HUP "$supervisor"
    await 'the first HUP' heard HUP 1
    kill -s HUP "$supervisor"
    await 'the second HUP' heard HUP 2
    started 1 || fail 'the watcher was restarted'
    kill -s KILL "$(pid_of 1)"
    await 'a restart' ready 2
    stop_with TERM 0
}

# The moments are spread over the start of both: before the traps, between
# fork and exec, before and in `wait`.
a_signal_at_any_moment_ends_both() {
    plan 'serve 0'
    for moment in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 18 20 22 24 27 30 35 40; do
        rm -f life
        term_after_ms=$moment supervise
        await "the end after a TERM at $moment ms" ended
        ended_with 0 143 || fail "code $(cat code) after a TERM at $moment ms"
        no_watcher_lives || fail "a watcher survived a TERM at $moment ms"
    done
}

a_signal_in_a_crash_loop_ends_it_at_any_moment() {
    export HEADSPACE_MAX_RESTARTS_PER_MINUTE=9999
    plan 'exit 1'
    for moment in 10 13 17 21 26 31 37 43; do
        rm -f life
        supervise
        await 'the loop' has_started 2
        pause_ms "$moment"
        kill -s TERM "$supervisor"
        await "the end after a TERM at $moment ms" ended
        ended_with 1 143 || fail "code $(cat code) after a TERM at $moment ms"
        no_watcher_lives || fail "a watcher survived a TERM at $moment ms"
    done
}

# Then the watcher ends in the instant in which the signal interrupts `wait`.
a_signal_to_the_whole_group_gives_the_watchers_own_code() {
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        rm -f pid
        own_group=yes supervise sleep 60
        await 'a start' test -s pid
        kill -s TERM -- "-$supervisor"
        ends_with 143
    done
}

term_in_the_pause_exits_at_once_with_the_last_code() {
    export HEADSPACE_RESTART_DELAY_SECONDS=4
    plan 'exit 3'
    supervise
    await 'the pause' grep -q 'in 4 s' log
    before=$(date +%s)
    stop_with TERM 3
    [ "$(($(date +%s) - before))" -lt 4 ] || fail 'it slept on'
    started 1 || fail 'it was restarted'
}

a_clean_end_is_not_restarted() {
    plan 'exit 0'
    supervise
    ends_with 0
    started 1 || fail 'it was restarted'
}

bad_configuration_and_wrong_usage_are_not_restarted() {
    for final in 75 78 2; do
        rm -f life
        plan "exit $final"
        supervise
        ends_with "$final"
        started 1 || fail "it was restarted after $final"
        grep -q "ERROR.*exit code $final; .* not restarted: " log || fail "no advice for $final"
    done
}

a_missing_program_is_a_failure_like_any_other() {
    export HEADSPACE_MAX_RESTARTS_PER_MINUTE=1
    supervise ./missing
    ends_with 127
    grep -q 'exit code 127; restart 1 of' log || fail 'no restart'
}

the_pid_file_holds_pids_restarts_and_start_and_is_removed_at_the_end() {
    plan 'exit 1' 'exit 1' 'serve 0'
    before=$(date +%s)
    supervise
    await 'the second restart' ready 1
    await 'its pid in the file' grep -q " $(pid_of 3) " pid
    read -r its_pid watchers_pid restarts start rest <pid
    [ "$its_pid $watchers_pid $restarts $rest" = "$supervisor $(pid_of 3) 2 " ] || fail "wrong: $(cat pid)"
    [ "$start" -ge "$before" ] || fail "started too early: $(cat pid)"
    [ "$start" -le "$(date +%s)" ] || fail "started in the future: $(cat pid)"
    [ "$(wc -l <pid)" -eq 1 ] || fail 'more than one line'
    case $(ls -l pid) in
        -rw-------*) ;;
        *) fail "wrong mode: $(ls -l pid)" ;;
    esac
    stop_with TERM 0
    [ ! -e pid ] || fail 'it is still there'
}

the_pid_file_of_another_supervisor_stays() {
    plan 'serve 0'
    supervise
    await 'a start' ready 1
    await 'the pid file' test -s pid
    echo '1 1 0 0' >pid
    stop_with TERM 0
    [ "$(cat pid)" = '1 1 0 0' ] || fail 'it was removed'
}

a_pid_file_that_cannot_be_written_does_not_stop_the_watcher() {
    export HEADSPACE_SUPERVISOR_PID_FILE="$dir/missing/pid"
    plan 'serve 0'
    supervise
    await 'a start' ready 1
    await 'a warning' grep -q "WARN run-watcher: cannot write the pid file $dir/missing/pid" log
    stop_with TERM 0
}

arguments_arrive_unchanged() {
    plan 'exit 0'
    supervise ./watcher 'two words' '*' '' "it's" 'a\b'
    ends_with 0
    grep -q "^arguments <two words><[*]><><it's><a[\\]b>\$" life || fail "$(grep arguments life)"
}

without_arguments_it_runs_headspace_watch() {
    plan 'exit 0'
    HEADSPACE_BIN=$dir/watcher launch
    ends_with 0
    grep -q '^arguments <watch>$' life || fail 'not HEADSPACE_BIN watch'
    rm life
    ln -s watcher headspace
    PATH=$dir:$PATH launch
    ends_with 0
    grep -q '^arguments <watch>$' life || fail 'not headspace watch'
}

the_limit_is_the_watchers_own_setting() {
    plan 'exit 4'
    configured=2 HEADSPACE_BIN=$dir/watcher launch
    ends_with 4
    started 3 || fail 'not two restarts'
    grep -q 'crash limit reached: 2 restarts in 60 s' log || fail 'another limit in the log'
    rm life
    configured=2 HEADSPACE_MAX_RESTARTS_PER_MINUTE=1 HEADSPACE_BIN=$dir/watcher launch
    ends_with 4
    started 2 || fail 'the variable does not come first'
    rm life
    configured='' HEADSPACE_BIN=$dir/watcher launch
    ends_with 4
    started 6 || fail 'not the default of five restarts'
}

a_log_that_nobody_reads_does_not_end_the_supervision() {
    plan 'exit 1' 'exit 1' 'serve 0'
    log_reader=gone supervise
    await 'the second restart' ready 1
    stop_with TERM 0
}

settings_that_make_no_sense_are_refused() {
    for setting in MAX_RESTARTS_PER_MINUTE=many MAX_RESTARTS_PER_MINUTE=-1 \
        RESTART_DELAY_SECONDS=5 RESTART_DELAY_SECONDS=0.5 \
        RESTART_WINDOW_SECONDS=0 RESTART_WINDOW_SECONDS=08; do
        (
            export "HEADSPACE_$setting"
            launch ./watcher
            ends_with 78
        ) || return 1
        grep -q "ERROR run-watcher: HEADSPACE_${setting%=*} must be a whole number" log ||
            fail "no reason for $setting"
        [ ! -e life ] || fail "the watcher was started with $setting"
    done
}

nothing_is_left_behind() {
    export TMPDIR="$dir/scratch"
    mkdir scratch
    plan 'exit 1' 'serve 0'
    supervise
    await 'a restart' ready 1
    stop_with TERM 0
    [ -z "$(ls scratch)" ] || fail "in the temporary folder: $(ls scratch)"
    for file in *; do
        case $file in
            scratch | watcher | plan | life | log | code | supervisor) ;;
            *) fail "left: $file" ;;
        esac
    done
}

# The supervisor of this test has been idle while all the others ran.
an_idle_supervisor_is_never_woken() {
    [ "$(sleeps_of "$idle")" -eq "$idle_sleeps" ] ||
        fail "it went from $idle_sleeps sleeps to $(sleeps_of "$idle")"
}

# --- the stage --------------------------------------------------------------

# The watcher reads what to do at its n-th start from the n-th line of `plan`
# (or the last) and writes its life down, one fact a line:
#   exit CODE          end at once
#   serve CODE [N]     end with CODE at the N-th TERM or INT (1)
#   deaf CODE          the same, but INT is ignored
write_watcher() {
    cat >watcher <<'END'
#!/usr/bin/perl
use strict;
use Time::HiRes qw(time);
use POSIX qw(:signal_h);
if ("@ARGV" eq "config show") {
    print "event_system:\n  max_restarts_per_minute: $ENV{configured}  # file\n" if $ENV{configured};
    exit($ENV{configured} ? 0 : 78);
}
use File::Basename qw(dirname);
chdir dirname($0);
sub note { open my $life, ">>", "life" or die; syswrite $life, "@_\n" }
sub leave { note("end", time); exit shift }
my $stop_signals = POSIX::SigSet->new(SIGTERM, SIGINT, SIGHUP);
sigprocmask(SIG_BLOCK, $stop_signals);
my $starts = 0;
if (open my $life, "<", "life") { $starts = grep { /^start/ } <$life> }
note("start", time, $$);
note("arguments", join "", map { "<$_>" } @ARGV);
open my $file, "<", "plan" or die;
my @plan = <$file>;
my ($do, $code, $left) = split " ", $plan[$starts < @plan ? $starts : -1];
leave($code) if $do eq "exit";
$left ||= 1;
my $hear = sub { note("heard", $_[0]); leave($code) if $_[0] ne "HUP" and not --$left };
$SIG{$_} = $hear for "TERM", "HUP", "INT";
$SIG{INT} = "IGNORE" if $do eq "deaf";
note("ready");
sigsuspend(POSIX::SigSet->new) while 1;
END
    chmod +x watcher
}

plan() {
    printf '%s\n' "$@" >plan
}

supervise() {
    launch "${@:-./watcher}"
}

# A background command of a shell ignores INT; perl gives it back. The pid is
# that of the supervisor, since perl and the shell follow each other by exec.
launch() {
    rm -f supervisor code
    (
        # shellcheck disable=SC2086 # "busybox sh" is two words
        perl -e '$SIG{INT} = "DEFAULT"; open F, ">supervisor"; print F "$$\n"; close F;
                 setpgrp if $ENV{own_group};
                 if (exists $ENV{term_after_ms} and not fork) {
                     select undef, undef, undef, $ENV{term_after_ms} / 1000;
                     kill "TERM", getppid;
                     exit;
                 }
                 if ($ENV{log_reader}) { pipe R, W; open STDERR, ">&W"; close R; close W }
                 exec @ARGV or die' $shell "$script" "$@"
        echo $? >code
    ) >/dev/null 2>log &
    await 'the supervisor' test -s supervisor
    supervisor=$(cat supervisor)
}

started() { [ "$(count '^start')" -eq "$1" ]; }
has_started() { [ "$(count '^start')" -ge "$1" ]; }
ready() { [ "$(count '^ready')" -eq "$1" ]; }
heard() { [ "$(count "^heard $1")" -eq "$2" ]; }
ended() { [ -s code ]; }
clock_is() { [ "$(date +%s)" -ge "$1" ]; }
count() { if [ -e life ]; then grep -c "$1" life; else echo 0; fi; }
pids_in() { sed -n 's/^start .* //p' "$1"; }
pid_of() { grep '^start' life | sed -n "$1s/.* //p"; }
start_in_pid_file() { sed 's/.* //' pid; }
sleeps_of() { sed -n 's/^voluntary_ctxt_switches:[^0-9]*//p' "/proc/$1/status"; }
has_one_child() { [ "$(ps -A -o ppid= | awk -v p="$1" '$1 == p' | wc -l)" -eq 1 ]; }
pause_ms() { perl -e 'select undef, undef, undef, $ARGV[0] / 1000' "$1"; }

ended_with() {
    case " $* " in *" $(cat code) "*) ;; *) return 1 ;; esac
}

ends_with() {
    await 'the end of the supervisor' ended
    ended_with "$1" || fail "exit code $(cat code) instead of $1"
}

stop_with() {
    kill -s "$1" "$supervisor"
    ends_with "$2"
}

no_watcher_lives() {
    [ -e life ] || return 0
    for pid in $(pids_in life); do
        ! kill -0 "$pid" 2>/dev/null || return 1
    done
}

await() {
    awaited=$1
    shift
    deadline=$(($(date +%s) + 30))
    until "$@"; do
        [ "$(date +%s)" -le "$deadline" ] || fail "waited in vain for $awaited"
        pause_ms 20
    done
}

fail() {
    echo "$*" >>reason
    exit 1
}

# --- the run ----------------------------------------------------------------

main() {
    [ "$#" -gt 0 ] || set -- dash bash 'busybox sh'
    for tool in perl "$@"; do
        command -v "${tool%% *}" >/dev/null || {
            echo "run-watcher.test.sh: ${tool%% *} is missing: install the package ${tool%% *}" >&2
            exit 1
        }
    done
    script=$(cd "$(dirname "$0")/../../packaging" && pwd)/run-watcher.sh
    stage=$(mktemp -d "${TMPDIR:-/tmp}/run-watcher-test.XXXXXX") || exit 1
    trap 'rm -rf "$stage"' EXIT
    [ -r /proc/self/status ] || skip_the_idle_test
    suites=0
    for shell in "$@"; do
        suites=$((suites + 1))
        mkdir "$stage/$suites"
        run_suite "$stage/$suites" >"$stage/$suites.out" 2>&1 &
    done
    wait
    cat "$stage"/*.out
    passed=$(cat "$stage"/*.out | grep -c '^ok ')
    failed=$(cat "$stage"/*.out | grep -c '^FAILED ')
    # A suite that broke off half way has tests without a verdict: they failed.
    # shellcheck disable=SC2086 # one word for each test
    expected=$(set -- $tests; echo "$(($# * suites))")
    failed=$((failed + expected - passed - failed))
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
}

skip_the_idle_test() {
    echo 'not run and not counted: an_idle_supervisor_is_never_woken, it needs /proc'
    tests=$(echo "$tests" | grep -v an_idle_supervisor)
}

run_suite() {
    unset HEADSPACE_BIN HEADSPACE_MAX_RESTARTS_PER_MINUTE HEADSPACE_RESTART_WINDOW_SECONDS
    export HEADSPACE_RESTART_DELAY_SECONDS=0
    suite=$1
    export TMPDIR="$suite"
    case $tests in *an_idle*) start_idle ;; esac
    for name in $tests; do
        run_test "$name"
    done
    [ -z "${idle:-}" ] || kill -s TERM "$idle"
}

start_idle() {
    enter idle
    plan 'serve 0'
    supervise
    idle=$supervisor
    await 'the idle watcher' ready 1
    await 'the idle supervisor' test -s pid
    await 'the end of its last helper' has_one_child "$idle"
    await 'its sleep' grep -q '^State:.*sleeping' "/proc/$idle/status"
    idle_sleeps=$(sleeps_of "$idle")
}

run_test() {
    if (enter "$1" && "$1"); then
        echo "ok $shell: $1"
    else
        echo "FAILED $shell: $1: $(cat "$suite/$1/reason" 2>/dev/null)"
        sed 's/^/    /' "$suite/$1/log" 2>/dev/null
    fi
    end_what_is_left "$suite/$1"
}

enter() {
    dir=$suite/$1
    mkdir "$dir"
    cd "$dir" || exit 1
    export HEADSPACE_SUPERVISOR_PID_FILE="$dir/pid"
    write_watcher
}

# Only a test that failed leaves something running.
end_what_is_left() {
    if [ -s "$1/supervisor" ] && [ ! -s "$1/code" ]; then
        kill -s KILL "$(cat "$1/supervisor")" 2>/dev/null
    fi
    if [ -s "$1/reason" ] && [ -s "$1/life" ]; then
        for pid in $(pids_in "$1/life"); do
            kill -s KILL "$pid" 2>/dev/null
        done
    fi
}

main "$@"
