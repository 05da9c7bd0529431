//! The files of a service manager, as they are shipped: in the tree, in a
//! package and here, byte for byte.

use crate::supervise::unit::Manager;

/// A unit or a plist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnitFile {
    pub name: &'static str,
    pub text: &'static str,
}

macro_rules! units {
    ($folder:literal: $($name:literal),+) => {&[$(UnitFile {
        name: $name,
        text: include_str!(concat!("../../", $folder, "/", $name)),
    }),+]};
}

pub fn of(manager: Manager) -> &'static [UnitFile] {
    match manager {
        Manager::System => units!("systemd/system":
            "headspace-watcher.service",
            "headspace.service",
            "headspace.socket",
            "headspace-failure@.service"),
        Manager::User => units!("systemd/user":
            "headspace-watcher.service",
            "headspace.service",
            "headspace.socket",
            "headspace-failure@.service"),
        Manager::Agents => units!("launchd/agents":
            "com.headspace.watcher.plist",
            "com.headspace.web.plist"),
        Manager::Daemons => units!("launchd/daemons":
            "com.headspace.watcher.plist",
            "com.headspace.web.plist"),
    }
}
