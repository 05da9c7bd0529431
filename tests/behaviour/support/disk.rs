//! Disks that fail: one that is easily full, and one whose power is cut.

use std::{
    fs::{self, File, Permissions},
    io::Write,
    os::{fd::AsRawFd, unix::fs::PermissionsExt},
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

/// An ext4 file system of its own, whose power a test cuts: what was not flushed
/// by then is gone.
pub struct CutDisk {
    folder: PathBuf,
    image: PathBuf,
}

impl CutDisk {
    /// Mounted at `folder`; its image is beside that.
    pub fn at(folder: &Path) -> CutDisk {
        fs::create_dir(folder).expect("a folder");
        let image = folder.with_extension("image");
        let file = File::create(&image).expect("an image");
        file.set_len(64 << 20).expect("a sparse file");
        succeed(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image));
        let disk = CutDisk {
            folder: folder.to_owned(),
            image,
        };
        disk.mount();
        fs::set_permissions(folder, Permissions::from_mode(0o700)).expect("made private");
        disk
    }

    /// Nothing reaches the image any more, what the kernel still holds least of all.
    pub fn cut(&self) {
        /// `EXT4_IOC_SHUTDOWN`, and not to flush its log before.
        const SHUTDOWN: libc::c_ulong = 0x8004_587d;
        const NO_LOG_FLUSH: u32 = 2;
        let folder = File::open(&self.folder).expect("the folder");
        // SAFETY: the call reads one number, which outlives it.
        let done = unsafe { libc::ioctl(folder.as_raw_fd(), SHUTDOWN, &NO_LOG_FLUSH) };
        assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
    }

    /// The power is back. No process may have it open.
    pub fn restore(&self) {
        succeed(Command::new("umount").arg(&self.folder));
        self.mount();
    }

    fn mount(&self) {
        let mut mount = Command::new("mount");
        succeed(
            mount
                .args(["-o", "loop"])
                .arg(&self.image)
                .arg(&self.folder),
        );
    }
}

impl Drop for CutDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}

fn succeed(command: &mut Command) {
    let status = command.status().expect("it is installed");
    assert!(status.success(), "{command:?} needs root");
}
