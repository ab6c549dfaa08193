//! Steps with jobs and orders, and the generator of pictures outside of the installation.

use std::time::Duration;

use serde_json::{Value, json};

use super::events::{keyed, request, token};
use super::sim::Sim;
use crate::model::ModelFault;
use crate::pictures;

impl Sim {
    /// Requests pictures.
    pub(super) fn request_pictures(&mut self) {
        let number = self.books.number();
        self.request_job(
            "POST /api/secure/images/generate",
            &json!({ "prompt": format!("a lighthouse {number}"), "count": 1 }),
            number,
        );
    }

    /// Requests an article, which `generate-worker` writes.
    pub(super) fn request_article(&mut self) {
        let number = self.books.number();
        let troubles = [
            None,
            Some(ModelFault::Status(503, "overloaded", None)),
            Some(ModelFault::Hang),
            Some(ModelFault::Lost),
            Some(ModelFault::Malformed),
        ];
        let faults: Vec<_> = (0..self.rng.below(4)).filter_map(|_| self.rng.pick(&troubles)).collect();
        self.world.change(|state| state.texts.faults.extend(faults));
        self.request_job(
            "POST /api/secure/blog/generate",
            &json!({ "topic": format!("Lighthouses {number}") }),
            number,
        );
    }

    fn request_job(&mut self, route: &str, body: &Value, number: u64) {
        let person = self.person();
        let event = keyed(self.asked(person, route, body), &format!("job-{number}"));
        self.books.jobs_asked += 1;
        let was_erased = self.books.erased.contains(person);
        let accepted = self.call(&format!("{person} requests job {number}"), "generate", &event);
        if let Some((201, body)) = accepted
            && let Some(id) = body["data"]["job_id"].as_str()
        {
            self.books.jobs.insert(id.to_owned(), person);
            self.is_open_to(was_erased, "requested a job");
        }
    }

    /// Cancels a job.
    pub(super) fn cancel_job(&mut self) {
        let jobs: Vec<(String, &'static str)> = self.books.jobs.iter().map(|(id, who)| (id.clone(), *who)).collect();
        let Some((id, person)) = self.rng.pick(&jobs) else { return };
        let event = request("DELETE /api/secure/jobs/{id}", &[&id], &token(person, self.now()), &Value::Null);
        self.call(&format!("{person} cancels a job"), "job-cancel", &event);
    }

    /// Hears an event on the bus.
    pub(super) fn hear(&mut self, event: &Value) {
        let detail = &event["detail"];
        if event["detail-type"] == "job.requested" && detail["kind"] == "image" {
            let id = detail["job_id"].as_str().unwrap_or_default().to_owned();
            if self.books.heard.insert(id.clone()) {
                self.books.work.push(id);
            }
        }
    }

    /// Lets the generator do one job: it asks for an upload, puts the picture and reports, or it reports a failure.
    pub(super) fn generate_picture(&mut self) {
        if self.books.work.is_empty() {
            return;
        }
        let place = self.rng.index(self.books.work.len());
        let id = self.books.work.remove(place);
        let number = self.books.number();
        if self.rng.percent(12) {
            return self.say("the generator forgets a job");
        }
        let report = |fields: Value| {
            let mut body = json!({ "generation_id": id });
            body.as_object_mut()
                .into_iter()
                .for_each(|body| body.extend(fields.as_object().cloned().unwrap_or_default()));
            signed_as(request("POST /api/webhooks/image-completion", &[], "", &body), &format!("msg_done_{number}"))
        };
        if self.rng.percent(12) {
            let failed = report(json!({ "status": "failed", "error": { "code": "SAFETY", "message": "Refused" } }));
            return self.post("webhook-image-completion", failed, "a report of failure", Duration::ZERO);
        }
        let body = json!({ "filename": format!("picture-{number}.png"), "content_type": "image/png", "size": 1000 });
        let ask = request("POST /api/webhooks/jobs/{id}/uploads", &[&id], "", &body);
        let granted =
            self.call("the generator asks to upload", "job-upload-grant", &signed_as(ask, &format!("msg_{number}")));
        let Some((201, granted)) = granted else { return };
        let key = granted["s3Key"].as_str().unwrap_or_default().to_owned();
        let early = self.rng.percent(30);
        let done = report(json!({ "status": "completed", "images": [{ "s3_key": key, "filename": "a.png",
            "file_size": 1000, "content_type": "image/png" }] }));
        if early {
            self.post("webhook-image-completion", done.clone(), "a completion before its picture", Duration::ZERO);
        }
        self.moment();
        self.say("the generator uploads a picture");
        self.put(&key, &format!("g{number}"), pictures::png(640, 480, 1000));
        if !early {
            self.post("webhook-image-completion", done, "a completion", Duration::ZERO);
        }
    }

    /// Sells an order: Stripe tells of the payment, the customer submits photos, perhaps before that.
    pub(super) fn order(&mut self) {
        let number = self.books.number();
        let payment = format!("pi_order{number}");
        let object = json!({ "id": payment, "object": "payment_intent", "amount": 4900, "amount_received": 4900,
            "currency": "eur", "metadata": { "consigne": "order" }, "status": "succeeded" });
        self.stripe("payment_intent.succeeded", &object, number, Duration::ZERO);
        self.books.orders.push(payment.clone());
        let wait = self.rng.seconds(120);
        self.pass(wait);
        let files = json!([
            { "type": "face_photo", "filename": "face.heic", "content_type": "image/heic", "size": 512_000 },
            { "type": "palm_photo", "filename": "palm.jpg", "content_type": "image/jpeg", "size": 256_000 },
        ]);
        let body = json!({ "files": files, "email": "customer@example.com", "locale": "en",
            "answers": { "question": "What does my palm say?", "born": "1990-05-17" } });
        let event = request("POST /api/orders/by-payment-intent/{id}/client-submit", &[&payment], "", &body);
        let mut submitted = None;
        for _ in 0..3 {
            submitted = self.call("a customer submits an order", "order-submit", &event);
            if submitted.as_ref().is_some_and(|(status, _)| *status == 201) {
                break;
            }
            self.pass(Duration::from_mins(2));
        }
        let Some((201, _)) = submitted else { return };
        let mut keys = Vec::new();
        self.world.change(|state| {
            let order = state.orders.values().find(|order| order.payment.as_str() == payment);
            let photos = order.and_then(|order| order.current.as_ref());
            keys.extend(photos.into_iter().flat_map(|current| &current.photos).map(|photo| photo.key.to_string()));
        });
        for (key, bytes) in keys.into_iter().zip([pictures::heic(), pictures::photo_with_place()]) {
            if self.rng.percent(92) {
                self.say("a customer uploads a photo");
                self.put(&key, &format!("o{number}"), bytes);
            }
            self.moment();
        }
    }
}

/// Notes the message id under which a request is signed whenever it is sent.
fn signed_as(mut event: Value, id: &str) -> Value {
    event["drill-message-id"] = id.into();
    event
}
