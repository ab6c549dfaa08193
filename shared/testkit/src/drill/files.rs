//! Steps with files: uploads, deletions, downloads, public addresses.

use std::time::Duration;

use serde_json::{Value, json};

use super::books::Upload;
use super::events::{keyed, request, token};
use super::sim::Sim;
use super::steps::PEOPLE;
use crate::pictures;

/// Size of the uploaded files, in bytes.
const SIZE: usize = 1000;

impl Sim {
    /// Asks for an upload, and puts the object.
    pub(super) fn upload(&mut self) {
        let Some((place, _)) = self.grant("photo", "png", "image/png", SIZE as u64) else { return };
        let Upload { person, key, name, .. } = self.books.uploads[place].clone();
        let wait = self.rng.seconds(240);
        self.pass(wait);
        let (bytes, what) = match self.rng.below(10) {
            0 => (None, "never uploads"),
            1 => (Some(pictures::gif(SIZE)), "uploads a GIF as"),
            _ => (Some(pictures::png(640, 480, SIZE)), "uploads"),
        };
        self.books.uploads[place].is_good = what == "uploads";
        self.say(&format!("{person} {what} {name}"));
        if let Some(bytes) = bytes {
            for copy in 0..=u64::from(self.rng.percent(8)) {
                self.put(&key, &format!("{name}-{copy}"), bytes.clone());
            }
        }
    }

    /// Asks for an upload of `size` bytes. If it is granted, returns its place in the books and the answer.
    pub(super) fn grant(&mut self, word: &str, ending: &str, kind: &str, size: u64) -> Option<(usize, Value)> {
        let person = self.person();
        let was_erased = self.books.erased.contains(person);
        let number = self.books.number();
        let name = format!("{word}-{number}.{ending}");
        let body = json!({ "filename": name, "contentType": kind, "size": size });
        let event = keyed(self.asked(person, "POST /api/files/uploads", &body), &format!("upload-{number}"));
        let granted = self.call(&format!("{person} asks to upload {name}"), "upload-grant", &event);
        let (_, granted) = granted.filter(|(status, _)| *status == 201)?;
        self.is_open_to(was_erased, "was granted an upload");
        self.books.uploads.push(Upload {
            person,
            key: granted["s3Key"].as_str().unwrap_or_default().to_owned(),
            name,
            is_good: false,
            delete_asked: false,
            deleted: false,
            published: None,
        });
        Some((self.books.uploads.len() - 1, granted))
    }

    /// Puts an object, of which S3 then tells.
    pub(super) fn put(&mut self, key: &str, version: &str, bytes: Vec<u8>) {
        self.world.put_object(key, version, bytes);
        self.collect();
    }

    /// Deletes a file.
    pub(super) fn delete(&mut self) {
        let Some((place, upload)) = self.some_upload(|upload| !upload.deleted) else { return };
        self.books.uploads[place].delete_asked = true;
        let event = self.asked(upload.person, "DELETE /api/files/delete", &json!({ "s3Key": upload.key }));
        if let Some((200, _)) = self.call(&format!("{} deletes {}", upload.person, upload.name), "delete", &event) {
            self.books.uploads[place].deleted = true;
        }
    }

    /// Signs a download. Nobody can read a file whose deletion was acknowledged.
    pub(super) fn download(&mut self) {
        let Some((_, upload)) = self.some_upload(|_| true) else { return };
        let event = self.asked(upload.person, "POST /api/files/presigned-url", &json!({ "s3Key": upload.key }));
        let signed = self.call(&format!("{} downloads {}", upload.person, upload.name), "presign", &event);
        if upload.deleted && signed.is_some_and(|(status, _)| status == 200) {
            self.breaks(format!("{} was deleted, and a download of it was signed afterwards", upload.name));
        }
    }

    /// Publishes a file or withdraws it.
    pub(super) fn publish(&mut self) {
        let Some((place, upload)) = self.some_upload(|upload| upload.is_good && !upload.delete_asked) else { return };
        let (publish, verb) = if self.rng.percent(60) { (true, "POST") } else { (false, "DELETE") };
        let word = if publish { "publishes" } else { "withdraws" };
        let event = self.asked(upload.person, &format!("{verb} /api/files/publish"), &json!({ "s3Key": upload.key }));
        let answer = self.call(&format!("{} {word} {}", upload.person, upload.name), "publish", &event);
        let acknowledged = answer.as_ref().is_some_and(|(status, _)| *status == 200);
        if acknowledged || answer.is_none() {
            self.books.uploads[place].published = Some((publish, acknowledged));
        }
    }

    /// Draws a person.
    pub(super) fn person(&mut self) -> &'static str {
        self.rng.pick(&PEOPLE).unwrap_or(PEOPLE[0])
    }

    /// Creates a request of a person.
    pub(super) fn asked(&self, person: &'static str, route: &str, body: &Value) -> Value {
        request(route, &[], &token(person, self.now()), body)
    }

    fn some_upload(&mut self, fits: impl Fn(&Upload) -> bool) -> Option<(usize, Upload)> {
        let fitting: Vec<usize> =
            (0..self.books.uploads.len()).filter(|place| fits(&self.books.uploads[*place])).collect();
        let place = self.rng.pick(&fitting)?;
        Some((place, self.books.uploads[place].clone()))
    }

    /// Lets a short time pass, as between two requests of one person.
    pub(super) fn moment(&mut self) {
        let wait = Duration::from_secs(1) + self.rng.seconds(30);
        self.pass(wait);
    }
}
