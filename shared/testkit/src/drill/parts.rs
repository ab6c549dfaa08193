//! Steps with large files, which are uploaded in parts.

use consigne_core::files::{ONE_PUT_MAX, PART_SIZE};
use serde_json::{Value, json};

use super::books::Upload;
use super::events::{request, token};
use super::sim::Sim;
use crate::pictures;

/// Size of a film: the smallest that is uploaded in parts.
const SIZE: u64 = ONE_PUT_MAX + 1;

impl Sim {
    /// Uploads a film in parts. It is completed, aborted, or left.
    pub(super) fn upload_film(&mut self) {
        let Some((place, granted)) = self.grant("film", "mp4", "video/mp4", SIZE) else { return };
        let Upload { person, key, name, .. } = self.books.uploads[place].clone();
        let id = granted["fileId"].as_str().unwrap_or_default().to_owned();
        self.moment();
        let route = "POST /api/files/uploads/{fileId}/parts";
        let event = request(route, &[&id], &token(person, self.now()), &json!({ "partNumbers": [1] }));
        let signed = self.call(&format!("{person} signs the parts of {name}"), "upload-parts", &event);
        if signed.is_none_or(|(status, _)| status != 200) {
            return;
        }
        let count = u32::try_from(SIZE.div_ceil(PART_SIZE)).unwrap_or(1);
        let mut parts = Vec::new();
        for part in 1..=count {
            let bytes = if part == 1 { pictures::mp4(33) } else { Vec::new() };
            let size = if part == count { SIZE - u64::from(count - 1) * PART_SIZE } else { PART_SIZE };
            let stored = self.world.put_part(&key, part, (&bytes, size), None);
            parts.extend(stored.map(|etag| json!({ "partNumber": part, "etag": format!("\"{etag}\"") })));
        }
        self.say(&format!("{person} uploads {} parts of {name}", parts.len()));
        self.moment();
        let (verb, body) = match self.rng.below(10) {
            0 => return self.say(&format!("{person} leaves {name}")),
            1..3 => ("abort", Value::Null),
            _ => ("complete", json!({ "parts": parts })),
        };
        let (route, function) = match verb {
            "abort" => ("DELETE /api/files/uploads/{fileId}", "upload-abort"),
            _ => ("POST /api/files/uploads/{fileId}/complete", "upload-complete"),
        };
        let event = request(route, &[&id], &token(person, self.now()), &body);
        let ended = self.call(&format!("{person} asks to {verb} {name}"), function, &event);
        let done = ended.is_some_and(|(status, _)| status < 300);
        let upload = &mut self.books.uploads[place];
        if verb == "abort" {
            (upload.delete_asked, upload.deleted) = (true, done);
        } else {
            upload.is_good = done;
        }
    }
}
