//! Recorded sessions through the whole product: a watcher reads transcripts, hooks
//! and a registry as they are written, at the pace of the recording, and the view
//! `agent_states` shows what a person would name, within 300 ms of the first witness
//! that can know it.
//!
//! They are played with all witnesses, without each, and with the transcript alone.
//! Where witnesses are missing, what is left may know less, and never a wrong
//! certainty: while a person would say that an agent waits or works, it is not shown
//! as idle or ended by a transition of that time whose confidence is 0.9 or more.
//!
//! In: `tests/data/timelines`. Hooks come by the spool, as `headspace hook` appends
//! them; each process of a recording is one of ours, and ends when it did.

mod certain;
mod clock;
mod play;
mod recording;
mod stage;
mod verdict;
mod view;

use super::judge::{ALL, LATE_MILLIS, written};
use crate::support::headspace::Kind;
use play::play;
use recording::files;
pub use recording::recordings;
pub use stage::Stage;
use verdict::{judge, verdict};

/// A test for each recording.
macro_rules! each {
    ($($name:ident $file:literal)+) => {
        const EACH: &[&str] = &[$($file),+];
        $(mod $name {
            #[test]
            fn is_shown_in_time() {
                let faults = &super::verdict().faults[$file];
                assert!(faults.is_empty(), "{}", faults.join("\n"));
            }
        })+
    };
}

each! {
    cli_2_1_113_ask_esc "2.1.113-ask_esc"
    cli_2_1_113_permission_yes "2.1.113-permission_yes"
    cli_2_1_138_ask_esc "2.1.138-ask_esc"
    cli_2_1_138_permission_yes "2.1.138-permission_yes"
    cli_2_1_200_ask_esc "2.1.200-ask_esc"
    cli_2_1_200_permission_yes "2.1.200-permission_yes"
    cli_2_1_260_ask_esc "2.1.260-ask_esc"
    cli_2_1_260_permission_yes "2.1.260-permission_yes"
    ask_answer "ask_answer"
    ask_esc "ask_esc"
    background_bash "background_bash"
    bash_mode "bash_mode"
    branch "branch"
    clear "clear"
    compact "compact"
    config_dir "config_dir"
    continue_flag "continue_flag"
    end_ctrl_c "end_ctrl_c"
    end_exit_async "end_exit_async"
    end_exit_command "end_exit_command"
    end_exit_http "end_exit_http"
    end_exit_slow_async "end_exit_slow_async"
    end_exit_slow_command "end_exit_slow_command"
    end_hangup_async "end_hangup_async"
    end_hangup_command "end_hangup_command"
    end_hangup_http "end_hangup_http"
    end_hangup_slow_async "end_hangup_slow_async"
    end_hangup_slow_command "end_hangup_slow_command"
    end_kill9 "end_kill9"
    end_sigterm_async "end_sigterm_async"
    end_sigterm_command "end_sigterm_command"
    end_sigterm_http "end_sigterm_http"
    error_key "error_key"
    error_overloaded "error_overloaded"
    error_rate_limit "error_rate_limit"
    error_recovers "error_recovers"
    esc_early "esc_early"
    esc_early_again "esc_early_again"
    esc_stream "esc_stream"
    esc_tool "esc_tool"
    fork_flag "fork_flag"
    headless "headless"
    headless_async "headless_async"
    headless_command "headless_command"
    headless_denied "headless_denied"
    headless_slow_async "headless_slow_async"
    headless_slow_command "headless_slow_command"
    hook_missing_async "hook_missing_async"
    hook_missing_command "hook_missing_command"
    hook_refused_http "hook_refused_http"
    hook_slow_async "hook_slow_async"
    hook_slow_command "hook_slow_command"
    hook_slow_permission_async "hook_slow_permission_async"
    hook_slow_permission_command "hook_slow_permission_command"
    hooks_late "hooks_late"
    idle_prompt "idle_prompt"
    menu "menu"
    offer "offer"
    permission_esc "permission_esc"
    permission_no "permission_no"
    permission_two "permission_two"
    permission_yes "permission_yes"
    plan_no "plan_no"
    plan_yes "plan_yes"
    prompt "prompt"
    question "question"
    queued "queued"
    rename "rename"
    resume_flag "resume_flag"
    resume_in_app "resume_in_app"
    subagent_background "subagent_background"
    subagent_esc "subagent_esc"
    subagent_foreground "subagent_foreground"
    subagent_foreground_esc "subagent_foreground_esc"
    trust "trust"
    two_processes "two_processes"
}

#[test]
fn each_recording_has_a_test_and_steps() {
    let names: Vec<String> = files()
        .iter()
        .map(|file| file.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(names, EACH);
    assert!(names.iter().all(|name| written(name).is_some()));
}

#[test]
fn nearly_all_steps_are_shown_far_sooner_in_time() {
    let delays = &verdict().delays;
    let part = |of: usize| delays[delays.len() * of / 100];
    let (half, most) = (part(50), part(95));
    println!(
        "{} steps shown in time: half within {half} ms, 95 % within {most} ms, the last {} ms",
        delays.len(),
        delays[delays.len() - 1]
    );
    assert!(most <= LATE_MILLIS / 2, "95 % within {most} ms");
}

#[test]
fn on_postgres_each_recording_is_shown_in_time() {
    let recordings = recordings();
    let played = [play(Kind::Postgres, &recordings, ALL, &[])];
    let verdict = judge(&recordings, &played);
    let faults: Vec<String> = verdict
        .faults
        .iter()
        .flat_map(|(name, faults)| faults.iter().map(move |fault| format!("{name} {fault}")))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
