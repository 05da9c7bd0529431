//! Packages of every kind, built from the tree and the program as they stand.
//!
//! Each is built once for all tests, into a folder of cargo's for tests.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{LazyLock, Mutex},
};

use rustix::process::geteuid;

/// A file's mode as `ls` shows it, by its path without a leading `/`.
pub type Contents = BTreeMap<String, String>;

pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What every kind of package is made of.
pub fn staged() -> PathBuf {
    built("stage", |folder| {
        let program = Path::new("packaging/stage");
        run(Command::new(program).args([program_of_packages(), folder.to_owned()]));
    })
}

/// The Debian package, by Debian's version.
pub fn deb(version: &str) -> PathBuf {
    let folder = built(&format!("deb-{version}"), |folder| {
        let mut command = Command::new("packaging/deb/build");
        command.args([&program_of_packages(), folder]);
        // As small as needed, and fast.
        command.args(["--deb-version", version, "-Z", "gz", "--fast"]);
        run(command.arg("--compress-system"));
    });
    only_file(&folder, ".deb")
}

/// The RPM package, by what follows its release.
pub fn rpm(dist: &str) -> PathBuf {
    let folder = built(&format!("rpm{dist}"), |folder| {
        source_archive(folder);
        let define = |what: String| ["--define".to_owned(), what];
        let program = program_of_packages();
        let mut command = Command::new("rpmbuild");
        command.arg("-bb");
        command.args(define(format!("_topdir {}/top", folder.display())));
        command.args(define(format!("_sourcedir {}", folder.display())));
        command.args(define(format!("program {}", program.display())));
        command.args(define(format!("dist %{{nil}}{dist}")));
        run(command.arg("packaging/rpm/headspace.spec"));
    });
    only_file(&only_file(&folder.join("top/RPMS"), ""), ".rpm")
}

/// The package for Arch. Its `package()` runs; building from source would take
/// minutes, so the program lies where that would have put it.
pub fn arch() -> PathBuf {
    let folder = built("arch", |folder| {
        let tree = folder.join(format!("src/headspace-{VERSION}"));
        let release = tree.join("target/release");
        fs::create_dir_all(&release).expect("folders");
        run(Command::new("cp")
            .args(["-r", "packaging", "systemd", "config", "LICENSE"])
            .args(["README.md", "CHANGELOG.md", "ARCHITECTURE.md"])
            .arg(&tree));
        fs::copy(program_of_packages(), release.join("headspace")).expect("the program");
        source_archive(folder);
        for name in ["PKGBUILD", "headspace.install"] {
            let from = Path::new("packaging/aur").join(name);
            fs::copy(from, folder.join(name)).expect("a file");
        }
        run(makepkg(folder)
            .args(["--repackage", "--nodeps"])
            .env("PKGEXT", ".pkg.tar.gz"));
    });
    only_file(&folder, ".pkg.tar.gz")
}

/// `makepkg`, which refuses to work for root.
pub fn makepkg(folder: &Path) -> Command {
    let mut command = Command::new("makepkg");
    if geteuid().is_root() {
        let root = folder.ancestors().nth(1).expect("a folder");
        run(Command::new("chmod").arg("a+rx").args([root, folder]));
        run(Command::new("chown").args(["-R", "nobody"]).arg(folder));
        command = Command::new("setpriv");
        command.args([
            "--reuid=nobody",
            "--regid=nogroup",
            "--clear-groups",
            "makepkg",
        ]);
    }
    command.env("HOME", folder).current_dir(folder);
    command
}

/// The modes of all files below a folder.
pub fn contents_of(folder: &Path) -> Contents {
    let output = run(Command::new("find")
        .args([".", "-type", "f", "-printf", "%M %P\n"])
        .current_dir(folder));
    lines_of(&output)
}

/// `-rwxr-xr-x usr/bin/headspace`, a line for each file.
pub fn lines_of(text: &str) -> Contents {
    let of_line = |line: &str| {
        let (mode, path) = line.split_once(' ').expect("a mode and a path");
        (path.to_owned(), mode.to_owned())
    };
    text.lines().map(of_line).collect()
}

/// Runs a command of the tree to its end and returns what it printed.
pub fn run(command: &mut Command) -> String {
    let output = in_tree(command)
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; tests/run installs it"));
    let errors = String::from_utf8_lossy(&output.stderr);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{command:?}:\n{said}\n{errors}");
    said.into_owned()
}

/// With the tools that `tests/run` keeps beside what it builds.
fn in_tree(command: &mut Command) -> &mut Command {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR"));
    if command.get_current_dir().is_none() {
        command.current_dir(tree);
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let tools = tree.join("target/tools/bin");
    command.env("PATH", format!("{}:{path}", tools.display()))
}

static BUILT: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());

/// The folder of this name, built at its first use. One at a time: they share a
/// folder within the tree.
fn built(name: &str, build: impl FnOnce(&Path)) -> PathBuf {
    // Needed by the others, so it must be there before the lock is taken.
    program_of_packages();
    let mut all = BUILT.lock().unwrap_or_else(|broken| broken.into_inner());
    if let Some(folder) = all.get(name) {
        return folder.clone();
    }
    let folder = empty(name);
    build(&folder);
    all.insert(name.to_owned(), folder.clone());
    folder
}

fn empty(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("packages")
        .join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("removed");
    }
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// The program as it is built, without what a debugger would need.
fn program_of_packages() -> PathBuf {
    static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
        let program = empty("program").join("headspace");
        let from = env!("CARGO_BIN_EXE_headspace");
        run(Command::new("strip").arg("-o").arg(&program).arg(from));
        program
    });
    PROGRAM.clone()
}

/// The sources as a release would have them.
fn source_archive(folder: &Path) {
    let root = format!("headspace-{VERSION}");
    run(Command::new("tar")
        .args(["--exclude=./target", "--exclude=./.git"])
        .args(["--transform", &format!("s,^\\.,{root},")])
        .arg("-czf")
        .arg(folder.join(format!("{root}.tar.gz")))
        .arg("."));
}

fn only_file(folder: &Path, ending: &str) -> PathBuf {
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    assert_eq!(
        found.len(),
        1,
        "{ending} in {}: {found:?}",
        folder.display()
    );
    found.remove(0)
}
