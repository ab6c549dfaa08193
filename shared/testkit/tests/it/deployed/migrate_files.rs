//! `consigne migrate-files` brings every file over once, byte for byte, whenever it is killed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use consigne_testkit::payload::built;
use consigne_testkit::pictures::png;
use consigne_testkit::stack::{Stack, fresh_user, until};
use serde_json::{Value, json};

use super::operator::consigne;
use super::text;

/// Files of each user.
const FILES: usize = 30;
/// Size of the first of them in bytes. Each is a byte larger than the one before, so that all differ.
const SIZE: usize = 40_000;

/// A folder of files, which is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("consigne-files-{}", fresh_user()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        let place = self.0.join(path);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::write(place, bytes).unwrap();
    }

    fn arguments(&self) -> [String; 2] {
        ["migrate-files".to_owned(), self.0.display().to_string()]
    }

    /// Runs the command to its end. Returns its exit code and its report.
    fn migrate(&self, more: &[&str]) -> (i32, Value) {
        let arguments = self.arguments();
        let arguments: Vec<&str> =
            arguments.iter().map(String::as_str).chain(["--json"]).chain(more.iter().copied()).collect();
        let (output, out, err) = consigne(&arguments, &[]);
        let report = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
        (output.status.code().unwrap(), report)
    }

    fn journal(&self) -> PathBuf {
        Path::new(&format!("{}.migration.jsonl", self.0.display())).to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
        let _ = std::fs::remove_file(self.journal());
    }
}

#[tokio::test]
async fn a_folder_that_is_migrated_twice_and_killed_in_between_has_every_file_once() {
    let stack = Stack::find();
    let (ann, bob) = (stack.newcomer("enterprise"), stack.newcomer("enterprise"));
    let folder = Folder::new();
    let mut wanted: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for n in 0..FILES {
        let bytes = png(64, 40, SIZE + n);
        folder.write(&format!("{}/2019/été/photo {n}.png", ann.id), &bytes);
        wanted.insert(format!("photo {n}.png"), bytes);
    }
    folder.write(&format!("{}/notes.md", bob.id), "# Un phare\n".as_bytes());
    // Two files of the same bytes in different places are two files.
    folder.write(&format!("{}/copy/notes.md", bob.id), "# Un phare\n".as_bytes());
    folder.write(&format!("{}/program.exe", bob.id), b"MZ");
    folder.write(&format!("{}/text.jpg", bob.id), b"only a text");
    folder.write(&format!("{}/empty.txt", bob.id), b"");
    folder.write("photos/nobodys.png", &png(64, 40, 100));

    let (exit, dry) = folder.migrate(&["--dry-run"]);
    assert_eq!((exit, &dry["would_migrate"], &dry["refused"]), (3, &json!(FILES + 2), &json!(4)), "{dry}");
    assert!(!folder.journal().exists());
    ann.wait_for_usage(0, 0, 0).await;

    let mut first = Command::new(built("consigne"))
        .args(folder.arguments())
        .args(["--parallel", "1"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = until(async || (ann.usage().await["totalFiles"].as_u64()? >= 3).then_some(()));
    begun.await.expect("the first run must have sent some files");
    first.kill().unwrap();
    first.wait().unwrap();
    let sent = ann.usage().await["totalFiles"].as_u64().unwrap();
    assert!(sent < FILES as u64, "it was killed too late to show anything");

    let (exit, report) = folder.migrate(&[]);
    let counts = [&report["refused"], &report["failed"], &report["deleted"]];
    assert_eq!((exit, counts), (3, [&json!(4), &json!(0), &json!(0)]), "{report}");
    let done = report["migrated"].as_u64().unwrap() + report["present"].as_u64().unwrap();
    assert_eq!(done, FILES as u64 + 2, "{report}");
    let reasons: BTreeMap<String, String> =
        report["problems"].as_array().unwrap().iter().map(|one| (text(one, "path"), text(one, "reason"))).collect();
    assert!(reasons[&format!("{}/text.jpg", bob.id)].contains("not image/jpeg"), "{reasons:?}");
    assert!(reasons[&format!("{}/program.exe", bob.id)].contains("supported"), "{reasons:?}");
    assert!(reasons[&format!("{}/empty.txt", bob.id)].contains("size"), "{reasons:?}");
    assert_eq!(reasons["photos/nobodys.png"], "its first folder is not the id of a user");

    let bytes: u64 = wanted.values().map(|bytes| bytes.len() as u64).sum();
    ann.wait_for_usage(FILES as u64, bytes, 0).await;
    let list = ann.call("GET", "/api/files/list").await.json();
    assert_eq!(list["files"].as_array().unwrap().len(), FILES);
    for file in list["files"].as_array().unwrap() {
        assert_eq!(file["metadata"]["folder"], "2019/été");
        let ticket = ann.ticket(&text(file, "key")).await.json();
        let got = stack.client.send("GET", &text(&ticket, "url"), &[], Vec::new()).await;
        let expected = wanted.remove(&text(file, "filename")).expect("each name once");
        assert!(got.bytes == expected, "{}", text(file, "filename"));
    }
    bob.wait_for_usage(2, 22, 0).await;

    // A file that its owner deletes stays deleted, with the journal and without it.
    let key = text(&list["files"][0], "key");
    assert_eq!(ann.delete(&key).await.status, 200);
    ann.wait_for_usage(FILES as u64 - 1, bytes - list["files"][0]["size"].as_u64().unwrap(), 0).await;
    let (_, again) = folder.migrate(&[]);
    assert_eq!((&again["migrated"], &again["present"]), (&json!(0), &json!(FILES + 2)), "{again}");
    std::fs::remove_file(folder.journal()).unwrap();
    let (_, again) = folder.migrate(&[]);
    let counts = [&again["migrated"], &again["present"], &again["deleted"]];
    assert_eq!(counts, [&json!(0), &json!(FILES + 1), &json!(1)], "{again}");
    ann.wait_for_usage(FILES as u64 - 1, bytes - list["files"][0]["size"].as_u64().unwrap(), 0).await;
}
