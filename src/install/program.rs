//! This program's own file, as a service finds it.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::{InstallRefused, systemd};

/// The path that stays when a package manager puts the next version there: one
/// that is found by name, if it is this program.
pub fn this_program() -> Result<PathBuf, InstallRefused> {
    let exe = std::env::current_exe()
        .and_then(fs::canonicalize)
        .map_err(|error| InstallRefused(format!("cannot find this program's own file: {error}")))?;
    // Without PATH no program is found by name, and the full path stands.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let by_name = std::env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join("headspace"))
        .find(|named| fs::canonicalize(named).is_ok_and(|full| full == exe));
    Ok(match by_name {
        Some(named) if exe != Path::new(systemd::PACKAGED_PROGRAM) => named,
        _ => exe,
    })
}

/// A system service sees neither homes nor temporary folders, and should not
/// run what another user than root can replace.
pub fn is_reachable(program: &Path) -> bool {
    let hidden = ["/home", "/root", "/run/user", "/tmp", "/var/tmp"];
    let full = fs::canonicalize(program).unwrap_or_else(|_| program.to_owned());
    let is_roots = full
        .metadata()
        .is_ok_and(|meta| meta.uid() == 0 && meta.mode() & 0o022 == 0);
    is_roots && !hidden.iter().any(|folder| full.starts_with(folder))
}
