//! The package for Arch: laid out by its PKGBUILD.

use std::{collections::BTreeMap, fs, process::Command};

use crate::support::packages::{
    Contents, VERSION, arch, contents_of, lines_of, makepkg, run, staged,
};

#[test]
fn it_holds_what_every_package_holds() {
    let said = run(Command::new("bsdtar").arg("-tvzf").arg(arch()));
    let files: String = said
        .lines()
        .filter(|line| line.starts_with('-') && line.contains(" usr/"))
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            format!("{} {}\n", words[0], words[words.len() - 1])
        })
        .collect();
    let staged: Contents = contents_of(&staged())
        .into_iter()
        .map(|(path, mode)| {
            let is_page = path.starts_with("usr/share/man/");
            (if is_page { path + ".gz" } else { path }, mode)
        })
        .collect();
    assert_eq!(lines_of(&files), staged);
}

#[test]
fn it_says_what_it_is() {
    let mut command = Command::new("bsdtar");
    let said = run(command.arg("-xOzf").arg(arch()).arg(".PKGINFO"));
    let facts: BTreeMap<&str, &str> = said.lines().filter_map(|l| l.split_once(" = ")).collect();
    assert_eq!(facts["pkgname"], "headspace");
    assert_eq!(facts["pkgver"], format!("{VERSION}-1"));
    assert_eq!(facts["license"], "Apache-2.0");
    assert!(said.contains("depend = glibc"), "{said}");
}

#[test]
fn without_its_source_archive_it_says_what_is_missing() {
    // Below a folder that may be opened to whom makepkg works for.
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("build");
    fs::create_dir(&folder).unwrap();
    for name in ["PKGBUILD", "headspace.install"] {
        fs::copy(format!("packaging/aur/{name}"), folder.join(name)).unwrap();
    }
    let output = makepkg(&folder)
        .args(["--verifysource", "--nodeps"])
        .output()
        .expect("makepkg");
    let errors = String::from_utf8_lossy(&output.stderr);
    let archive = format!("headspace-{VERSION}.tar.gz");
    assert!(!output.status.success(), "{errors}");
    assert!(
        errors.contains(&format!("{archive} was not found")),
        "{errors}"
    );
}

#[test]
fn its_scripts_are_accepted_by_bash() {
    let files = ["packaging/aur/PKGBUILD", "packaging/aur/headspace.install"];
    for file in files {
        run(Command::new("bash").args(["-n", file]));
    }
}
