//! The functions of the job desk.

use consigne_runtime::http;
use lambda_http::aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};

use super::{ISSUER, deadline, paging, presigner};
use crate::fakes::World;
use crate::webhooks;

/// Calls a function.
pub(super) async fn call(world: &World, function: &str, event: ApiGatewayV2httpRequest) -> ApiGatewayV2httpResponse {
    let (users, jobs) = (ISSUER.verifier(), world.clone());
    let until = deadline();
    match function {
        "generate" => {
            let deps = generate::Deps { users, jobs, public_url: Some("https://api.example.com".to_owned()) };
            http::respond(function, &deps, &|d, r| Box::pin(generate::handle(d, r)), event, until).await
        }
        "job-cancel" => {
            let deps = job_cancel::Deps { users, jobs };
            http::respond(function, &deps, &|d, r| Box::pin(job_cancel::handle(d, r)), event, until).await
        }
        "job-list" => {
            let deps = job_list::Deps { users, jobs, paging: paging() };
            http::respond(function, &deps, &|d, r| Box::pin(job_list::handle(d, r)), event, until).await
        }
        "job-status" => {
            let deps = job_status::Deps { users, jobs, tickets: presigner() };
            http::respond(function, &deps, &|d, r| Box::pin(job_status::handle(d, r)), event, until).await
        }
        "job-upload-grant" => {
            let deps = job_upload_grant::Deps { generators: webhooks::known(), jobs, tickets: presigner() };
            http::respond(function, &deps, &|d, r| Box::pin(job_upload_grant::handle(d, r)), event, until).await
        }
        "webhook-image-completion" => {
            let deps = webhook_image_completion::Deps { generators: webhooks::known(), jobs, objects: world.clone() };
            http::respond(function, &deps, &|d, r| Box::pin(webhook_image_completion::handle(d, r)), event, until).await
        }
        "webhook-text-completion" => {
            let deps = webhook_text_completion::Deps { generators: webhooks::known(), jobs, objects: world.clone() };
            http::respond(function, &deps, &|d, r| Box::pin(webhook_text_completion::handle(d, r)), event, until).await
        }
        "webhook-video-completion" => {
            let deps = webhook_video_completion::Deps { generators: webhooks::known(), jobs, objects: world.clone() };
            http::respond(function, &deps, &|d, r| Box::pin(webhook_video_completion::handle(d, r)), event, until).await
        }
        other => panic!("{other} is no function of the job desk"),
    }
}
