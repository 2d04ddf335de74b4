//! `ese log` as a user meets it: agreement with the original's dumps, filters, the timeline, damaged logs.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn ese(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ese")).args(arguments).output().unwrap()
}

/// The objects that `ese --json log` prints, and its exit code.
fn log_json(arguments: &[&str]) -> (Vec<Value>, i32) {
    let output = ese(&[&["--json", "log"], arguments].concat());
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    (text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), output.status.code().unwrap())
}

/// The type that the original's dump calls `name`.
fn type_of_dump(name: &str) -> &str {
    match name {
        "McroBegin" => "MacroBegin",
        "McroComit" => "MacroCommit",
        "McroInfo" => "MacroInfo",
        "McroInfo2" => "MacroInfo2",
        "FInsert" => "FlagInsert",
        "FInsertRD" => "FlagInsertAndReplaceData",
        "FDelete" => "FlagDelete",
        "SetExtHdr" => "SetExternalHeader",
        "Create M" => "CreateMultipleExtentFDP",
        "Create S" => "CreateSingleExtentFDP",
        "Convert" => "ConvertFDP2",
        "CrDBFinsh" => "CreateDBFinish",
        "SetDbVer" => "SetDbVersion",
        "ShutDown" => "ShutDownMark",
        "Init" => "Init2",
        "Term" => "Term2",
        "RcvUndo" => "RecoveryUndo2",
        "RcvQuit" => "RecoveryQuit2",
        "RcvQKA" => "RecoveryQuitKeepAttachments",
        "FRollLog" => "ForceLogRollover",
        "SAttachDB" => "SignalAttachDb",
        "ScanChk2" => "ScanCheck2",
        "ExtFreed" => "ExtentFreed",
        "ExtFreed2" => "ExtentFreed2",
        "PageMoveR" => "RootPageMove",
        same => same,
    }
}

/// Position, type and, where the line has them, database times and session of a dump's records.
struct DumpedRecord {
    position: String,
    kind: String,
    text: String,
}

fn dumped_records(dump: &Path) -> Vec<DumpedRecord> {
    let text = testdata::read_text(dump).unwrap();
    text.lines()
        .filter_map(|line| {
            let line = line.strip_prefix('>')?;
            let (position, rest) = line.split_at(18);
            let name = rest.get(1..10).unwrap_or(rest).trim();
            Some(DumpedRecord {
                position: position.to_owned(),
                kind: type_of_dump(name).to_owned(),
                text: rest.get(11..).unwrap_or_default().to_owned(),
            })
        })
        .collect()
}

/// Dumps with records of a case, with the logs they describe.
fn dumps(case: &str) -> Vec<(PathBuf, PathBuf)> {
    let Some(folder) = testdata::reference(case) else { return Vec::new() };
    let mut found = Vec::new();
    for (dumps, logs) in [("eseutil", "files"), ("recovered_eseutil", "recovered")] {
        let Ok(entries) = fs::read_dir(folder.join(dumps)) else { continue };
        for entry in entries {
            let dump = entry.unwrap().path();
            let name = dump.file_name().unwrap().to_str().unwrap().to_owned();
            let Some(name) = name.strip_prefix("ml_") else { continue };
            let log = folder.join(logs).join(name.trim_end_matches(".gz").trim_end_matches(".txt"));
            if log.is_file() {
                found.push((dump, log));
            }
        }
    }
    found.sort();
    found
}

/// `dbtime,dbtimeBefore,trx:level(session,[slot:page…` of a dump line, for the records that begin like this.
fn check_prefix(ours: &Value, theirs: &DumpedRecord) {
    if ours.get("dbtime_before").is_none() {
        return;
    }
    let text = if theirs.kind == "Split2" { theirs.text.split_once(' ').unwrap().1 } else { &theirs.text };
    let Some((times, session)) = text.split_once('(') else { return };
    let session = session.split(',').next().unwrap();
    let times: Vec<&str> = times.trim().split([',', ':']).collect();
    let [after, before, transaction, level] = times.as_slice() else { return };
    let hexadecimal =
        |text: &str| u64::from_str_radix(text, 16).unwrap_or_else(|e| panic!("{}: {e}", theirs.text));
    let time = |text: &str| Some(hexadecimal(text)).filter(|&time| time < u64::MAX - 1);
    assert_eq!(ours["dbtime"].as_u64(), time(after), "{}", theirs.position);
    assert_eq!(ours["dbtime_before"].as_u64(), time(before), "{}", theirs.position);
    assert_eq!(ours["transaction"], hexadecimal(transaction), "{}", theirs.position);
    assert_eq!(ours["level"], level.parse::<u64>().unwrap(), "{}", theirs.position);
    assert_eq!(ours["session"], hexadecimal(session), "{}", theirs.position);
}

fn compare_with_dumps(case: &str) -> usize {
    let mut compared = 0;
    for (dump, log) in dumps(case) {
        let theirs = dumped_records(&dump);
        // Some dumps were made without records.
        if theirs.is_empty() {
            continue;
        }
        let (ours, exit) = log_json(&["--records", log.to_str().unwrap()]);
        assert_eq!(exit, 0, "{case}");
        assert_eq!(ours.len(), theirs.len(), "{case} {}", log.display());
        let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for (ours, theirs) in ours.iter().zip(&theirs) {
            let place = format!("{case} {} {}", log.display(), theirs.position);
            assert_eq!(ours["position"], theirs.position, "{place}");
            assert_eq!(ours["type"], theirs.kind, "{place}");
            check_prefix(ours, theirs);
            counts.entry(ours["type"].as_str().unwrap()).or_default().0 += 1;
            counts.entry(&theirs.kind).or_default().1 += 1;
        }
        assert!(counts.values().all(|(ours, theirs)| ours == theirs));
        compared += theirs.len();
    }
    compared
}

/// Every reference case whose dumps have records. The codec's own tests compare every printed field of them; here it is
/// the program, on fewer of the large ones.
#[test]
fn records_agree_with_the_original_dumps() {
    let mut compared = 0;
    for case in testdata::reference_cases() {
        if case.starts_with("clean-p16k") || case.starts_with("clean-p32k") || case.starts_with("dirty-") {
            continue;
        }
        compared += compare_with_dumps(&case);
    }
    assert!(compared > 1000, "{compared}");
    eprintln!("{compared} records");
}

fn logs(case: &str) -> Option<PathBuf> {
    Some(testdata::reference(case)?.join("files"))
}

#[test]
fn generations_of_a_directory() {
    let Some(folder) = logs("clean-p4k") else { return };
    let (generations, exit) = log_json(&[folder.to_str().unwrap()]);
    assert_eq!(exit, 0);
    let numbers: Vec<u64> = generations.iter().map(|g| g["generation"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    let (last, earlier) = generations.split_last().unwrap();
    assert_eq!(last["state"], "closed");
    assert!(earlier.iter().all(|g| g["state"] == "complete"));
    for generation in &generations {
        assert_eq!(generation["schema"], "ese-log-generation-1");
        assert_eq!(generation["signature"], generations[0]["signature"]);
        assert_eq!(generation["page_size"], 4096);
        assert_eq!(generation["base_name"], "edb");
        let types = generation["types"].as_object().unwrap();
        let sum: u64 = types.values().map(|count| count.as_u64().unwrap()).sum();
        assert_eq!(generation["records"].as_u64().unwrap(), sum);
    }
    for pair in generations.windows(2) {
        assert_eq!(pair[0]["created"], pair[1]["previous_created"]);
        assert!(pair[0]["last_written"].as_str() <= pair[1]["created"].as_str());
    }
    assert!(last["attached"][0]["path"].as_str().unwrap().ends_with("db.edb"));
    // For people: a heading and a line for each.
    let output = ese(&["log", folder.to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().filter(|line| line.starts_with("  0x")).count(), generations.len());
    assert!(text.starts_with("Log stream \"edb\""));
}

#[test]
fn filters() {
    let Some(folder) = logs("rare-multi-crash-p8k") else { return };
    let folder = folder.to_str().unwrap();
    let (all, _) = log_json(&["--records", folder]);
    let count = |arguments: &[&str]| {
        let (records, exit) = log_json(&[&["--records", folder], arguments].concat());
        assert_eq!(exit, 0);
        records
    };
    let with = |name: &str, value: u64| all.iter().filter(|r| r[name] == value).count();
    let session = count(&["--session", "5"]);
    assert!(!session.is_empty());
    assert_eq!(session.len(), with("session", 5));
    let database = count(&["--database", "2"]);
    assert!(!database.is_empty());
    assert_eq!(database.len(), with("database", 2));
    let splits = count(&["--type", "split2,Merge2"]);
    let expected = all.iter().filter(|r| r["type"] == "Split2" || r["type"] == "Merge2").count();
    assert!(expected > 0);
    assert_eq!(splits.len(), expected);
    let both = count(&["--type", "insert", "--session", "5", "--database", "1"]);
    let expected = all.iter().filter(|r| r["type"] == "Insert" && r["session"] == 5 && r["database"] == 1);
    assert_eq!(both.len(), expected.count());
    // A page is found as the subject of a record and as another page that it names.
    let page = count(&["--page", "31"]);
    assert!(page.len() > with("page", 31));
    assert!(page.iter().any(|r| r["type"] == "MacroInfo2" || r["type"] == "MacroInfo"));
    assert_eq!(count(&["--page", "31", "--page", "40-50"]).len(), {
        let either = |r: &&Value| count_pages(r).any(|p| p == 31 || (40..=50).contains(&p));
        all.iter().filter(either).count()
    });
    // Positions: both ends are included.
    let (first, last) = (all[100]["position"].as_str().unwrap(), all[200]["position"].as_str().unwrap());
    let between = count(&["--from", first, "--to", last]);
    assert_eq!(between, all[100..=200]);
    let generation = count(&["--from", "2", "--to", "0x2"]);
    assert_eq!(generation.len(), with("generation", 2));
    let time = all[500]["time"].as_str().unwrap();
    let expected = all.iter().filter(|r| r["time"].as_str().unwrap() >= time).count();
    assert_eq!(count(&["--from", time]).len(), expected);
    let expected = all.iter().filter(|r| r["time"].as_str().unwrap() <= time).count();
    assert_eq!(count(&["--to", time]).len(), expected);
}

/// Every page that a printed record names.
fn count_pages(record: &Value) -> impl Iterator<Item = u64> + '_ {
    const MEMBERS: [&str; 11] = [
        "page",
        "new_page",
        "right_page",
        "left_page",
        "parent_page",
        "target_page",
        "owned_extents_root",
        "available_extents_root",
        "root_of_freed",
        "first_page",
        "last_page_of_shrink",
    ];
    let named = MEMBERS.iter().filter_map(|name| record[*name].as_u64()).filter(|&page| page != 0);
    let listed = record["pages"].as_array().into_iter().flatten();
    let listed = listed.filter_map(|page| page.as_u64().or_else(|| page["page"].as_u64()));
    let root = record["root"].as_u64().filter(|_| record["type"] == "FreeFDP");
    let more = record["page_count"].as_u64().filter(|_| record["first_page"].is_u64()).unwrap_or(1);
    let range = record["first_page"].as_u64().into_iter().flat_map(move |first| first..first + more);
    named.chain(listed).chain(root).chain(range)
}

#[test]
fn the_timeline_tells_how_every_transaction_ended() {
    // Clean: everything that began was ended.
    let Some(folder) = logs("clean-p8k") else { return };
    let (events, exit) = log_json(&["--timeline", folder.to_str().unwrap()]);
    assert_eq!(exit, 0);
    let summary = events.last().unwrap();
    assert_eq!(summary["never_ended"], 0);
    let (records, _) = log_json(&["--records", "--type", "commit0", folder.to_str().unwrap()]);
    let commits: Vec<&Value> = events.iter().filter(|e| e["event"] == "commit").collect();
    assert_eq!(commits.len(), records.len());
    for (commit, record) in commits.iter().zip(&records) {
        assert_eq!(commit["position"], record["position"]);
        assert_eq!(commit["session"], record["session"]);
        assert_eq!(commit["commit_stamp"], record["commit_time"]);
        assert!(commit["begin_position"].as_str().unwrap() < commit["position"].as_str().unwrap());
        assert!(commit["page_count"].as_u64().unwrap() > 0, "{commit}");
    }
    assert_eq!(summary["committed"], commits.len());
    let begins = log_json(&["--records", "--type", "begin0", folder.to_str().unwrap()]).0.len() as u64;
    let ended = summary["committed"].as_u64().unwrap() + summary["rolled_back"].as_u64().unwrap();
    assert_eq!(ended, begins);
    let kinds: Vec<&str> = events.iter().filter_map(|e| e["event"].as_str()).collect();
    for kind in ["start", "create-database", "shutdown", "end", "rollback", "extend-database"] {
        assert!(kinds.contains(&kind), "{kind}");
    }
}

#[test]
fn the_timeline_of_a_crash_and_of_its_recovery() {
    let Some(folder) = testdata::reference("dirty-exit-p8k") else { return };
    let crashed = folder.join("files");
    let (events, _) = log_json(&["--timeline", crashed.to_str().unwrap()]);
    let open: Vec<&Value> = events.iter().filter(|e| e["event"] == "never-ended").collect();
    assert_eq!(open.len(), 1);
    // What recovery then did to it stands in the log that it wrote (it began in the one before).
    let recovered = folder.join("recovered/edb.log");
    let (events, exit) = log_json(&["--timeline", recovered.to_str().unwrap()]);
    assert_eq!(exit, 0);
    let undone: Vec<&Value> = events.iter().filter(|e| e["event"] == "rollback").collect();
    assert_eq!(undone.len(), 1);
    assert_eq!(undone[0]["session"], open[0]["session"]);
    assert_eq!(undone[0]["transaction"], open[0]["transaction"]);
    assert_eq!(undone[0]["begin_position"], Value::Null);
    assert!(undone[0]["undone"].as_u64().unwrap() > 0);
    let kinds: Vec<&str> = events.iter().filter_map(|e| e["event"].as_str()).collect();
    assert_eq!(kinds, ["rollback", "shutdown", "recovered", "start", "shutdown", "end"]);
    // For people: one line an event, and the sum.
    let output = ese(&["log", "--timeline", recovered.to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), events.len());
    assert!(text.contains("rollback") && text.ends_with("0 never ended\n"), "{text}");
}

/// A stream that was recovered in the middle of its life: nothing stays open across the recovery.
#[test]
fn the_timeline_of_a_stream_with_a_recovery_in_it() {
    let Some(folder) = logs("rare-mix-crash-p8k-efv8920") else { return };
    let (events, exit) = log_json(&["--timeline", folder.to_str().unwrap()]);
    assert_eq!(exit, 0);
    let at = |kind: &str| events.iter().position(|e| e["event"] == kind).unwrap();
    assert!(at("recovery-undo") < at("recovery-rollback") && at("recovery-rollback") < at("recovered"));
    let recovered = events[at("recovered")]["position"].as_str().unwrap();
    for event in events.iter().filter(|e| e["event"] == "recovery-rollback" || e["event"] == "recovery-undo")
    {
        assert!(event["position"].as_str().unwrap() < recovered);
    }
    // The crash at the end left something open; the one in the middle did not.
    for event in events.iter().filter(|e| e["event"] == "never-ended") {
        assert!(event["begin_position"].as_str().unwrap() > recovered, "{event}");
    }
}

#[test]
fn a_filtered_timeline() {
    let Some(folder) = logs("clean-p8k") else { return };
    let folder = folder.to_str().unwrap();
    let (events, _) = log_json(&["--timeline", "--session", "6", folder]);
    assert!(events.len() > 1);
    for event in &events[..events.len() - 1] {
        assert_eq!(event["session"], 6);
    }
    let (events, _) = log_json(&["--timeline", "--from", "3", "--to", "4", folder]);
    assert!(events.len() > 1);
    for event in &events[..events.len() - 1] {
        let position = event["position"].as_str().unwrap();
        assert!(position.starts_with("00000003") || position.starts_with("00000004"), "{position}");
    }
    // What goes on behind the end that was asked for is not called unended.
    assert_eq!(events.last().unwrap()["never_ended"], 0);
}

#[test]
fn contents_are_printed_on_request_only() {
    let Some(folder) = logs("clean-p4k") else { return };
    let log = folder.join("edb00000001.log");
    let log = log.to_str().unwrap();
    let (records, _) = log_json(&["--records", "--type", "insert", log]);
    assert!(records.iter().all(|r| r.get("data").is_none() && r["data_size"].is_u64()));
    let (records, _) = log_json(&["--records", "--type", "insert", "--data", log]);
    for record in &records {
        let data = record["data"].as_str().unwrap();
        assert_eq!(data.len() as u64, 2 * record["data_size"].as_u64().unwrap());
    }
    let text = String::from_utf8(ese(&["log", "--records", "--type", "insert", log]).stdout).unwrap();
    assert_eq!(text.lines().count(), records.len());
    assert!(text.lines().next().unwrap().contains("page="));
}

/// Copies the logs of a case into a folder.
fn copy_logs(case: &str, target: &Path) -> Option<()> {
    for entry in fs::read_dir(logs(case)?).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "log") {
            fs::copy(&path, target.join(path.file_name().unwrap())).unwrap();
        }
    }
    Some(())
}

fn damage(path: &Path, offset: usize) {
    let mut bytes = fs::read(path).unwrap();
    for at in [offset, offset + 100, offset + 300] {
        bytes[at] ^= 0x55;
    }
    fs::write(path, bytes).unwrap();
}

fn only_errors(objects: &[Value]) -> Vec<&Value> {
    objects.iter().filter(|o| o["schema"] == "ese-error-1").collect()
}

#[test]
fn damaged_cut_and_missing_logs() {
    let directory = tempfile::tempdir().unwrap();
    let Some(()) = copy_logs("dirty-exit-p8k", directory.path()) else { return };
    let path = |name: &str| directory.path().join(name);
    let (before, exit) = log_json(&["--records", path("edb00000005.log").to_str().unwrap()]);
    assert_eq!(exit, 0);
    // A damaged segment: the records in front of it, then the finding.
    damage(&path("edb00000005.log"), 12 * 4096 + 500);
    let (after, exit) = log_json(&["--records", path("edb00000005.log").to_str().unwrap()]);
    assert_eq!(exit, 3);
    let (finding, records) = after.split_last().unwrap();
    assert!(records.len() > 100 && records.len() < before.len());
    assert_eq!(records, &before[..records.len()]);
    assert_eq!(finding["jet_error"], -501);
    assert_eq!(finding["segment"], 12);
    assert_eq!(finding["log_position"], "00000005,000C,0000");
    assert_eq!(finding["exit_code"], 3);
    // A log cut in the middle is shown up to the cut.
    let whole = fs::read(path("edb00000006.log")).unwrap();
    fs::write(path("edb00000006.log"), &whole[..10 * 4096 + 77]).unwrap();
    let (objects, exit) = log_json(&["--records", path("edb00000006.log").to_str().unwrap()]);
    assert_eq!(exit, 3);
    let errors: Vec<i64> = only_errors(&objects).iter().map(|e| e["jet_error"].as_i64().unwrap()).collect();
    assert_eq!(errors, [-541, -501]);
    assert!(objects.len() > 50);
    // Damaged header, missing generation: told, and the rest is shown.
    damage(&path("edb00000008.log"), 20);
    fs::remove_file(path("edb0000000A.log")).unwrap();
    let (objects, exit) = log_json(&[directory.path().to_str().unwrap()]);
    assert_eq!(exit, 3);
    let errors: Vec<i64> = only_errors(&objects).iter().map(|e| e["jet_error"].as_i64().unwrap()).collect();
    assert_eq!(errors, [-501, -541, -501, -501, -528]);
    let states: BTreeMap<u64, &str> =
        objects.iter().filter_map(|o| Some((o["generation"].as_u64()?, o["state"].as_str()?))).collect();
    assert_eq!((states[&5], states[&6], states[&7]), ("damaged", "damaged", "complete"));
    assert!(!states.contains_key(&8) && !states.contains_key(&10) && states.contains_key(&11));
    // A log of another stream.
    let Some(other) = logs("clean-p8k") else { return };
    fs::copy(other.join("edb00000012.log"), path("edb00000012.log")).unwrap();
    let (objects, exit) = log_json(&["--timeline", directory.path().to_str().unwrap()]);
    assert_eq!(exit, 3);
    assert!(only_errors(&objects).iter().any(|e| e["jet_error"] == -530));
}

#[test]
fn every_cut_of_a_log_ends_with_an_answer() {
    let Some(folder) = logs("clean-p4k") else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("edb.log");
    let whole = fs::read(folder.join("edb.log")).unwrap();
    for length in [0, 1, 100, 4095, 4096, 4097, 8191, 8192, 8193, 12288, 20000, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        let (objects, exit) = log_json(&["--records", path.to_str().unwrap()]);
        assert_ne!(exit, 0, "{length}");
        assert!(!only_errors(&objects).is_empty(), "{length}");
    }
}

#[test]
fn logs_of_the_old_format() {
    let directory = tempfile::tempdir().unwrap();
    if testdata::real_folder().is_none() {
        return;
    }
    testdata::unpack_real_set("winmail-win7-a", directory.path()).unwrap();
    let (generations, exit) = log_json(&[directory.path().to_str().unwrap()]);
    assert_eq!(exit, 0);
    assert_eq!(generations.len(), 2);
    assert!(generations.iter().all(|g| g["version"]["format"] == 7 && g["version"]["update_major"] == 15));
    assert_eq!(generations[1]["state"], "closed");
    let (records, exit) = log_json(&["--records", directory.path().to_str().unwrap()]);
    assert_eq!(exit, 0);
    let counted: u64 = generations.iter().map(|g| g["records"].as_u64().unwrap()).sum();
    assert_eq!(records.len() as u64, counted);
    let (events, exit) = log_json(&["--timeline", directory.path().to_str().unwrap()]);
    assert_eq!(exit, 0);
    assert_eq!(events.last().unwrap()["never_ended"], 0);
    assert!(events.iter().any(|e| e["event"] == "backup"));
}

#[test]
fn wrong_use() {
    let output = ese(&["log"]);
    assert_eq!(output.status.code(), Some(2));
    // A filter without something to filter.
    assert_eq!(ese(&["log", "--page", "3", "."]).status.code(), Some(2));
    assert_eq!(ese(&["log", "--records", "--timeline", "."]).status.code(), Some(2));
    assert_eq!(ese(&["log", "--records", "--type", "nothing", "."]).status.code(), Some(2));
    let directory = tempfile::tempdir().unwrap();
    let (objects, exit) = log_json(&[directory.path().to_str().unwrap()]);
    assert_eq!(exit, 1);
    assert_eq!(objects[0]["error"], "no log files here");
    let (objects, exit) = log_json(&["/no/such/place"]);
    assert_eq!(exit, 1);
    assert!(objects[0]["jet_error"] == -1811 || objects[0]["jet_error"] == -1023, "{}", objects[0]);
}
