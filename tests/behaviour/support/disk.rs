//! A disk that is easily full.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

/// A file system of a few megabytes; it is gone when this is dropped.
pub struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    pub fn at(folder: &Path) -> SmallDisk {
        fs::create_dir(folder).expect("a folder");
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=24m,mode=0700", "tmpfs"])
            .arg(folder);
        let mounted = mount.status().expect("mount").success();
        assert!(mounted, "a small disk can only be made by root");
        SmallDisk {
            folder: folder.to_owned(),
        }
    }

    pub fn fill(&self) {
        let mut file = File::create(self.folder.join("filler")).expect("a file");
        // Down to the last page.
        for size in [1 << 16, 1 << 12] {
            let zeros = vec![0; size];
            while file.write_all(&zeros).is_ok() {}
        }
    }

    pub fn free(&self) {
        fs::remove_file(self.folder.join("filler")).expect("it is there");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a watcher may still have its files open.
        let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}
