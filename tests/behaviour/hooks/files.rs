//! The file stays the file that it was: its mode, its links, its owner's hand.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink},
};

use super::{done, failed, folders, ours, read, with_settings};
use crate::support::headspace::{Headspace, Kind, json_list};

const PLAIN: &str = "{\n  \"model\": \"opus\"\n}\n";

#[test]
fn mode_and_link_stay_and_the_file_behind_the_link_is_changed() {
    let (headspace, path) = with_settings("");
    let target = headspace.dir().join("dotfiles/claude.json");
    fs::create_dir(target.parent().expect("a folder")).expect("made");
    fs::write(&target, PLAIN).expect("written");
    fs::set_permissions(&target, Permissions::from_mode(0o640)).expect("set");
    // Only root can give a file to another user.
    let _ = chown(&target, Some(4711), Some(4711));
    let owner = || fs::metadata(&target).expect("there").uid();
    let owned_by = owner();
    fs::remove_file(&path).expect("removed");
    symlink("../dotfiles/claude.json", &path).expect("a link");
    let mode = || fs::metadata(&target).expect("there").mode() & 0o7777;
    done(&headspace, &["install"]);
    assert!(fs::symlink_metadata(&path).expect("there").is_symlink());
    assert_eq!((ours(&read(&target), "Stop"), mode()), (1, 0o640));
    assert_eq!(owner(), owned_by);
    done(&headspace, &["uninstall"]);
    assert!(fs::symlink_metadata(&path).expect("there").is_symlink());
    assert_eq!(owner(), owned_by);
    assert_eq!((read(&target), mode()), (PLAIN.to_owned(), 0o640));
}

#[test]
fn two_folders_with_one_file_change_it_once() {
    let mut headspace = Headspace::on(Kind::Sqlite);
    let roots = folders(&mut headspace, &[PLAIN.to_owned()]);
    let other = headspace.dir().join("other");
    fs::create_dir(&other).expect("made");
    symlink(roots[0].join("settings.json"), other.join("settings.json")).expect("a link");
    let linked = headspace.dir().join("linked");
    symlink(&roots[0], &linked).expect("a link");
    headspace.set(
        "HEADSPACE_CLAUDE__ROOTS",
        json_list(&[&roots[0], &other, &linked]),
    );
    let said = done(&headspace, &["install"]);
    assert_eq!(said.matches("  write ").count(), 1, "{said}");
    assert_eq!(ours(&read(&roots[0].join("settings.json")), "Stop"), 1);
    done(&headspace, &["uninstall"]);
    assert_eq!(read(&roots[0].join("settings.json")), PLAIN);
}

#[test]
fn a_file_that_is_not_there_is_made_and_removed_again() {
    let mut headspace = Headspace::on(Kind::Sqlite);
    let root = headspace.dir().join("new/claude");
    headspace.set("HEADSPACE_CLAUDE__ROOTS", json_list(&[&root]));
    let path = root.join("settings.json");
    done(&headspace, &["install"]);
    assert_eq!(ours(&read(&path), "Stop"), 1);
    assert_eq!(fs::metadata(&path).expect("there").mode() & 0o777, 0o600);
    done(&headspace, &["uninstall"]);
    assert_eq!(fs::read_dir(&root).expect("there").count(), 0);
}

#[test]
fn a_read_only_file_stays_and_its_owner_gets_what_to_put_in() {
    let (headspace, path) = with_settings(PLAIN);
    fs::set_permissions(&path, Permissions::from_mode(0o444)).expect("set");
    let said = failed(&headspace, &["install"]);
    assert!(said.contains("is read-only; it was not changed"), "{said}");
    let (_, snippet) = said.split_once("Merge this into").expect("a snippet");
    let snippet =
        &snippet[snippet.find("\n{").expect("JSON")..=snippet.rfind("}\n").expect("JSON")];
    assert_eq!(ours(snippet, "Stop"), 1, "{snippet}");
    assert_eq!(read(&path), PLAIN);
    assert!(!path.with_extension("json.headspace-backup").exists());
}

#[test]
fn one_file_under_two_names_stays_one() {
    let (headspace, path) = with_settings(PLAIN);
    let other = headspace.dir().join("managed.json");
    fs::hard_link(&path, &other).expect("a link");
    let said = failed(&headspace, &["install"]);
    assert!(said.contains("is one file under several names"), "{said}");
    assert_eq!(read(&other), PLAIN);
}

#[test]
fn a_dry_run_shows_the_change_and_makes_none() {
    let (headspace, path) = with_settings(PLAIN);
    let said = done(&headspace, &["install", "--dry-run"]);
    for line in [
        "-  \"model\": \"opus\"\n",
        "+  \"model\": \"opus\",\n",
        "+    \"Stop\": [\n",
    ] {
        assert!(said.contains(line), "{line:?} is not in\n{said}");
    }
    assert_eq!(read(&path), PLAIN);
    assert_eq!(fs::read_dir(headspace.root()).expect("there").count(), 2);
    done(&headspace, &["install"]);
    let installed = read(&path);
    let said = done(&headspace, &["uninstall", "--dry-run"]);
    assert!(said.contains("-    \"Stop\": [\n"), "{said}");
    assert_eq!(read(&path), installed);
}

#[test]
fn what_the_user_changed_since_stays() {
    let (headspace, path) = with_settings(PLAIN);
    done(&headspace, &["install"]);
    let changed = read(&path).replace("\"opus\"", "\"sonnet\"");
    fs::write(&path, changed).expect("written");
    let said = done(&headspace, &["uninstall"]);
    assert_eq!(read(&path), PLAIN.replace("opus", "sonnet"));
    assert!(said.contains("as it was before: "), "{said}");
}

#[test]
fn an_old_claude_gets_no_event_that_it_does_not_know() {
    let (mut headspace, path) = with_settings(PLAIN);
    let bin = headspace.dir().join("bin");
    fs::create_dir(&bin).expect("made");
    let claude = bin.join("claude");
    fs::write(&claude, "#!/bin/sh\necho '2.1.50 (Claude Code)'\n").expect("written");
    fs::set_permissions(&claude, Permissions::from_mode(0o755)).expect("set");
    headspace.set("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    let said = done(&headspace, &["install"]);
    assert!(
        said.contains("StopFailure, which Claude Code knows from 2.1.78 on"),
        "{said}"
    );
    let settings = read(&path);
    assert_eq!(
        (ours(&settings, "Stop"), ours(&settings, "StopFailure")),
        (1, 0)
    );
    // After its update the rest comes.
    fs::write(&claude, "#!/bin/sh\necho '2.1.329 (Claude Code)'\n").expect("written");
    done(&headspace, &["install"]);
    assert_eq!(ours(&read(&path), "StopFailure"), 1);
    done(&headspace, &["uninstall"]);
    assert_eq!(read(&path), PLAIN);
}

#[test]
fn all_adds_the_rest_and_never_what_disturbs() {
    let (headspace, path) = with_settings(PLAIN);
    done(&headspace, &["install", "--all"]);
    let settings = read(&path);
    for event in ["PostToolBatch", "ConfigChange", "PreToolUse", "Stop"] {
        assert_eq!(ours(&settings, event), 1, "{event}");
    }
    for event in ["MessageDisplay", "WorktreeCreate"] {
        assert_eq!(ours(&settings, event), 0, "{event}");
    }
    assert!(!settings.contains("matcher"), "every tool");
    done(&headspace, &["install"]);
    assert_eq!(
        ours(&read(&path), "PostToolBatch"),
        0,
        "only what is needed again"
    );
    done(&headspace, &["uninstall"]);
    assert_eq!(read(&path), PLAIN);
}

#[test]
fn a_named_folder_takes_the_place_of_those_in_the_settings() {
    let mut headspace = Headspace::on(Kind::Sqlite);
    let roots = folders(&mut headspace, &[PLAIN.to_owned(), PLAIN.to_owned()]);
    let root = roots[1].to_str().expect("a path");
    done(&headspace, &["install", "--root", root]);
    assert_eq!(read(&roots[0].join("settings.json")), PLAIN);
    assert_eq!(ours(&read(&roots[1].join("settings.json")), "Stop"), 1);
}
