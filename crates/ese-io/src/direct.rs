//! Opening a file a second time so that it bypasses the page cache.

use std::fs;

use crate::aligned::DIRECT_ALIGNMENT;

/// `O_DIRECT`, which differs between architectures. Source: `fcntl.h` of the Linux kernel's architectures.
#[cfg(target_os = "linux")]
const O_DIRECT: Option<i32> = if cfg!(any(
    target_arch = "x86",
    target_arch = "x86_64",
    target_arch = "riscv32",
    target_arch = "riscv64",
    target_arch = "s390x",
    target_arch = "loongarch64"
)) {
    Some(0o40000)
} else if cfg!(any(target_arch = "arm", target_arch = "aarch64")) {
    Some(0o200_000)
} else if cfg!(any(target_arch = "powerpc", target_arch = "powerpc64")) {
    Some(0o400_000)
} else {
    None
};

/// A second handle of the same open file for direct I/O; `None` where the system or the file system has no such thing.
#[cfg(target_os = "linux")]
pub(crate) fn reopen(file: &fs::File, write: bool) -> Option<fs::File> {
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::OpenOptionsExt;

    // Through the handle, not the path: the name may mean another file by now.
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    fs::OpenOptions::new().read(true).write(write).custom_flags(O_DIRECT?).open(path).ok()
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn reopen(_file: &fs::File, _write: bool) -> Option<fs::File> {
    None
}

/// How many bytes from the start of a request can go the direct way: whole units at an aligned offset and address.
pub(crate) fn direct_part(offset: u64, bytes: &[u8]) -> usize {
    let aligned =
        offset.is_multiple_of(DIRECT_ALIGNMENT as u64) && bytes.as_ptr().align_offset(DIRECT_ALIGNMENT) == 0;
    if aligned { bytes.len() / DIRECT_ALIGNMENT * DIRECT_ALIGNMENT } else { 0 }
}
