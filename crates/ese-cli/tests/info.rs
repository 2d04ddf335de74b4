//! `ese info` as a user meets it: every kind of file, damaged and cut ones, exit codes, and the contract of its JSON.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn ese<A: AsRef<OsStr>>(arguments: &[A]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ese")).args(arguments).output().unwrap()
}

/// The objects that `ese --json info` prints, and its exit code.
fn info(paths: &[PathBuf]) -> (Vec<Value>, i32) {
    let mut arguments = vec![OsStr::new("--json"), OsStr::new("info")];
    arguments.extend(paths.iter().map(|p| p.as_os_str()));
    let output = ese(&arguments);
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    (text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), output.status.code().unwrap())
}

fn one(path: &Path) -> (Value, i32) {
    let (mut objects, exit) = info(&[path.to_path_buf()]);
    assert_eq!(objects.len(), 1);
    (objects.remove(0), exit)
}

fn fixture(file: &str) -> PathBuf {
    testdata::reference("clean-p4k").expect("a committed fixture").join("files").join(file)
}

#[test]
fn the_promised_members() {
    for (file, kind) in
        [("db.edb", "database"), ("edb.log", "log"), ("edb.chk", "checkpoint"), ("db.jfm", "flush_map")]
    {
        let (report, exit) = one(&fixture(file));
        assert_eq!((report["kind"].as_str(), exit), (Some(kind), 0));
        for member in [
            "schema",
            "path",
            "kind",
            "state",
            "page_size",
            "version",
            "log_required",
            "signature",
            "log_signature",
            "generation",
            "backup",
            "header",
            "problems",
        ] {
            assert!(report.get(member).is_some(), "{kind}: {member} is missing");
        }
        assert_eq!(report["verified"], true);
        assert_eq!(report["problems"].as_array().map(Vec::len), Some(0));
    }
    let (database, _) = one(&fixture("db.edb"));
    assert_eq!(database["state"], "clean_shutdown");
    assert_eq!(database["page_size"], 4096);
    assert_eq!(database["version"]["format"], 1568);
    assert_eq!(database["log_required"]["committed"], 0);
    assert!(database["signature"]["random"].is_u64());
    let (log, _) = one(&fixture("edb.log"));
    assert_eq!(log["version"]["format"], 8);
    assert!(log["generation"].is_u64());
}

#[test]
fn text_for_people() {
    let output = ese(&[OsStr::new("info"), fixture("db.edb").as_os_str()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("clean shutdown") && text.contains("1568."), "{text}");
    assert!(!text.contains("lgposConsistent"));
    let output = ese(&[OsStr::new("info"), OsStr::new("--all"), fixture("db.edb").as_os_str()]);
    assert!(String::from_utf8(output.stdout).unwrap().contains("lgposConsistent"));
}

#[test]
fn either_damaged_copy_is_a_finding_and_both_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let good = fs::read(fixture("db.edb")).unwrap();
    let path = folder.path().join("damaged.edb");
    for (offsets, status) in
        [(&[300][..], "primary_bad"), (&[4096 + 300], "secondary_bad"), (&[300, 4396], "")]
    {
        let mut bytes = good.clone();
        offsets.iter().for_each(|&at| bytes[at] ^= 1);
        fs::write(&path, bytes).unwrap();
        let (report, exit) = one(&path);
        if status.is_empty() {
            assert_eq!((exit, &report["jet_error"]), (1, &(-1206).into()), "{report}");
            for member in ["error", "jet_error_name", "file", "expected", "found", "advice"] {
                assert!(report[member].is_string(), "{member}: {report}");
            }
            let output = ese(&[OsStr::new("info"), OsStr::new("--unverified"), path.as_os_str()]);
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(text.contains("HEADER NOT VERIFIED"), "{text}");
        } else {
            assert_eq!((exit, &report["header_copies"]), (3, &status.into()), "{report}");
            assert_eq!(report["problems"][0]["jet_error"], -1018);
        }
    }
}

/// Every file cut at every sector: a report or an error object for each, and nothing else.
#[test]
fn files_cut_at_each_sector() {
    let folder = tempfile::tempdir().unwrap();
    for (file, sectors) in [("db.edb", 40), ("edb.log", 40), ("edb.chk", 16), ("db.jfm", 32)] {
        let bytes = fs::read(fixture(file)).unwrap();
        let paths: Vec<_> = (0..sectors)
            .map(|sector| {
                let path = folder.path().join(format!("{sector}-{file}"));
                fs::write(&path, &bytes[..bytes.len().min(sector * 512)]).unwrap();
                path
            })
            .collect();
        let (reports, exit) = info(&paths);
        assert_eq!(reports.len(), paths.len());
        // What is damaged fails, what is not recognised any more is unsupported.
        assert_eq!(exit, 1, "{file}");
        for (sector, report) in reports.iter().enumerate() {
            match report["schema"].as_str().unwrap() {
                "ese-info-1" => {
                    let whole = sector * 512 >= bytes.len();
                    let told = !report["problems"].as_array().unwrap().is_empty();
                    // Missing pages are for `ese verify` to find: a header does not tell how many there are.
                    let pages = match file {
                        "db.edb" => sector >= 24 && sector % 8 == 0,
                        "db.jfm" => sector % 16 == 0,
                        _ => false,
                    };
                    let whole = whole || pages;
                    let nothing = ["unknown", "empty", "blank"].contains(&report["kind"].as_str().unwrap());
                    assert!(whole || told || nothing, "{file} cut to {sector} sectors: {report}");
                }
                "ese-error-1" => assert!(report["jet_error"].as_i64().unwrap() < 0, "{report}"),
                other => panic!("schema {other}"),
            }
        }
    }
}

#[test]
fn files_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let kind = |path: &Path| {
        let (report, exit) = one(path);
        (report["kind"].as_str().unwrap().to_owned(), exit)
    };
    // A name makes no database.
    assert_eq!(kind(&write("text.edb", b"not a database")), ("unknown".to_owned(), 7));
    assert_eq!(kind(&write("edbres00001.jrs", &[0; 70_000])), ("reserved_log".to_owned(), 0));
    assert_eq!(kind(&write("edbtmp.log", &[0; 200_000])), ("blank_log".to_owned(), 0));
    assert_eq!(kind(&write("db.pat", &[])), ("patch".to_owned(), 0));
    let mut late = vec![0; 300_000];
    late[250_000] = 1;
    let path = write("late", &late);
    assert_eq!(kind(&path), ("unknown".to_owned(), 7));
    assert_eq!(one(&path).0["content_from"], 250_000);
    // A renamed database stays one.
    let renamed = folder.path().join("x.log");
    fs::copy(fixture("db.edb"), &renamed).unwrap();
    assert_eq!(kind(&renamed), ("database".to_owned(), 0));
}

#[test]
fn one_bad_file_does_not_hide_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("db.edb");
    let (reports, exit) = info(&[missing, fixture("db.edb")]);
    assert_eq!(exit, 1);
    assert_eq!(reports[0]["jet_error"], -1811);
    assert_eq!(reports[1]["kind"], "database");
}

#[test]
fn a_wrong_command_line() {
    for arguments in [&["--json", "info"][..], &["--json", "nonsense"]] {
        let output = ese(arguments);
        assert_eq!(output.status.code(), Some(2));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["exit_code"], 2);
    }
    assert_eq!(ese(&["--help"]).status.code(), Some(0));
}

#[test]
fn other_formats_are_shown_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.edb");
    let original = fs::read(fixture("db.edb")).unwrap();
    let stamped = |field: usize, value: u32| {
        let mut bytes = original.clone();
        for offset in [0, 4096] {
            bytes[offset + field..offset + field + 4].copy_from_slice(&value.to_le_bytes());
            ese_format::write_header_checksum(&mut bytes[offset..offset + 4096]);
        }
        fs::write(&path, bytes).unwrap();
        one(&path)
    };
    let (report, exit) = stamped(232, 999);
    assert_eq!((exit, &report["version"]["update_major"]), (0, &999.into()));
    assert_eq!(report["newer_format"], true);
    let (report, exit) = stamped(8, 0x600);
    assert_eq!((exit, &report["version"]["format"]), (7, &0x600.into()));
    assert_eq!(report["problems"][0]["jet_error"], -1209);
}

/// Every real file is what its manifest says: kind, page size, version, state. Only names are printed.
#[test]
fn real_files() {
    let folder = tempfile::tempdir().unwrap();
    let files = testdata::real_files();
    for (i, file) in files.iter().enumerate() {
        // The names matter for reserved logs only; a number keeps them apart.
        let place = folder.path().join(i.to_string());
        fs::create_dir(&place).unwrap();
        let path = place.join(Path::new(&file.file).file_name().unwrap());
        fs::write(&path, testdata::real_bytes(file).unwrap()).unwrap();
        let (report, exit) = one(&path);
        let name = format!("{}/{}", file.set, file.file);
        let same = |what: &str, found: String, expected: &str| {
            assert!(found == expected, "{name}: {what} is {found}, expected {expected}");
        };
        assert_eq!(exit, 0, "{name}");
        let kind = report["kind"].as_str().unwrap();
        let expected = match file.kind.as_str() {
            "flush map" => "flush_map",
            "patch file" => "patch",
            "reserved log" => "reserved_log",
            "blank log" => "blank_log",
            other => other,
        };
        same("kind", kind.to_owned(), expected);
        if let Some(size) = file.page_size {
            same("page size", report["page_size"].to_string(), &size.to_string());
        }
        let number = |pointer: &str| report.pointer(pointer).and_then(Value::as_u64).unwrap();
        let position = |pointer: &str| {
            let text = report.pointer(pointer).and_then(Value::as_str).unwrap();
            let parts: Vec<_> =
                text.split(',').map(|p| format!("{:x}", u32::from_str_radix(p, 16).unwrap())).collect();
            parts.join(":")
        };
        match kind {
            "database" => {
                let version = format!(
                    "{:#x},{},{}",
                    number("/version/format"),
                    number("/version/update_major"),
                    number("/version/update_minor")
                );
                same("version", version, &file.version);
                let state = match report["state"].as_str().unwrap() {
                    "clean_shutdown" if report["header"]["lgposConsistent"].is_null() => {
                        "clean (never logged)".to_owned()
                    }
                    "clean_shutdown" => format!("clean (consistent {})", position("/header/lgposConsistent")),
                    _ => format!(
                        "dirty (needs generations {:#x}..{:#x})",
                        number("/log_required/min"),
                        number("/log_required/max")
                    ),
                };
                same("state", state, &file.state);
            }
            "log" => {
                let version = ["format", "minor", "update_major", "update_minor"]
                    .map(|part| number(&format!("/version/{part}")).to_string())
                    .join(".");
                same("version", version, &file.version);
                same("state", format!("generation {:#x}", number("/generation")), &file.state);
            }
            "checkpoint" => same("state", format!("checkpoint {}", position("/checkpoint")), &file.state),
            _ => {}
        }
    }
    println!("{} real files", files.len());
}

/// Damaged header pages: what the original's header dump said of each is what `ese info` says.
#[test]
fn recorded_verdicts_on_header_pages() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mutated.edb");
    let mut compared = 0;
    for size in ["p4k", "p8k", "p32k"] {
        let (Some(case), Some(base)) =
            (testdata::reference(&format!("bitflips-{size}")), testdata::reference(&format!("clean-{size}")))
        else {
            continue;
        };
        let verdicts: Vec<Value> =
            serde_json::from_str(&testdata::read_text(&case.join("verdicts.json")).unwrap()).unwrap();
        let original = fs::read(base.join("files/db.edb")).unwrap();
        for verdict in verdicts {
            let flips: Vec<_> = verdict["where"].as_array().into_iter().flatten().collect();
            if flips.is_empty() || !flips.iter().all(|f| f["file_page"].as_u64().is_some_and(|p| p <= 1)) {
                continue;
            }
            let mut bytes = original.clone();
            for flip in &flips {
                bytes[flip["offset"].as_u64().unwrap() as usize] ^= 1 << flip["bit"].as_u64().unwrap();
            }
            fs::write(&path, bytes).unwrap();
            let (report, exit) = one(&path);
            match verdict["mh_err"].as_str() {
                None => {
                    let first = flips[0]["file_page"] == 0;
                    let status = if first { "primary_bad" } else { "secondary_bad" };
                    assert_eq!((exit, &report["header_copies"]), (3, &status.into()), "{verdict}");
                }
                Some(error) => assert_eq!((exit, &report["jet_error_name"]), (1, &error.into()), "{verdict}"),
            }
            compared += 1;
        }
    }
    assert!(compared >= 15, "{compared}: the fixture alone has as many");
}
