//! The files of a service manager, as they are shipped: in the tree, in a
//! package and here, byte for byte.

/// A unit or a plist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnitFile {
    pub name: &'static str,
    pub text: &'static str,
}

macro_rules! units {
    ($folder:literal: $($name:literal),+) => {[$(UnitFile {
        name: $name,
        text: include_str!(concat!("../../", $folder, "/", $name)),
    }),+]};
}

/// For `/etc/systemd/system`, or a package's `/usr/lib/systemd/system`.
pub const SYSTEM: [UnitFile; 4] = units!("systemd/system":
    "headspace-watcher.service",
    "headspace.service",
    "headspace.socket",
    "headspace-failure@.service");

/// For `~/.config/systemd/user`, or a package's `/usr/lib/systemd/user`.
pub const USER: [UnitFile; 4] = units!("systemd/user":
    "headspace-watcher.service",
    "headspace.service",
    "headspace.socket",
    "headspace-failure@.service");

/// For `~/Library/LaunchAgents`; what is installed differs where it must name
/// a path.
pub const AGENTS: [UnitFile; 2] = units!("launchd/agents":
    "com.headspace.watcher.plist",
    "com.headspace.web.plist");

/// For `/Library/LaunchDaemons`; what is installed also names the user.
pub const DAEMONS: [UnitFile; 2] = units!("launchd/daemons":
    "com.headspace.watcher.plist",
    "com.headspace.web.plist");
