//! A planted endless loop: the watchdog must keep the input and report. A file of its own, because the hung thread stays.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Duration;

use fuzz_targets::Target;
use fuzz_targets::runner::{Limits, run};

static REPORT: Mutex<Option<mpsc::Sender<PathBuf>>> = Mutex::new(None);

#[test]
fn a_hang_is_found_and_its_input_kept() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits {
        inputs: 1,
        hang: Duration::from_millis(200),
        artifacts: folder.path().to_path_buf(),
        ..Limits::long(Duration::from_secs(600))
    };
    fn bad(_: &[u8]) {
        loop {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    fn on_hang(_: &Target, file: &Path) {
        REPORT.lock().unwrap().as_ref().unwrap().send(file.to_path_buf()).unwrap();
    }
    let (sender, receiver) = mpsc::channel();
    *REPORT.lock().unwrap() = Some(sender);
    let target = Target { name: "bad", run: bad, samples: || vec![b"hang me".to_vec()] };
    std::thread::spawn(move || run(&target, &limits, on_hang));
    let file = receiver.recv_timeout(Duration::from_secs(120)).expect("no report");
    assert_eq!(std::fs::read(file).unwrap(), b"hang me");
}
