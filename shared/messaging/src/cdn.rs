//! The CDN's cache, on Amazon `CloudFront`.

use consigne_aws::{AwsConfig, budget, post_xml};
use consigne_core::Fault;
use consigne_core::ports::InvalidatePaths;

/// The cache of one distribution. Failed calls to `CloudFront` become `UNAVAILABLE`.
#[derive(Clone, Debug)]
pub struct Cdn {
    config: AwsConfig,
    distribution: String,
}

impl Cdn {
    /// Creates an adapter for the distribution of this id.
    pub fn new(config: &AwsConfig, distribution: impl Into<String>) -> Self {
        Self { config: config.clone(), distribution: distribution.into() }
    }
}

/// Returns the body of a request. Source: Amazon `CloudFront` API reference, `CreateInvalidation`.
fn batch(name: &str, paths: &[String]) -> String {
    let items: String =
        paths.iter().flat_map(|path| ["<Path>".to_owned(), escaped(path), "</Path>".to_owned()]).collect();
    format!(
        "<InvalidationBatch xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\"><CallerReference>{}</CallerReference>\
         <Paths><Items>{items}</Items><Quantity>{}</Quantity></Paths></InvalidationBatch>",
        escaped(name),
        paths.len()
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

impl InvalidatePaths for Cdn {
    async fn invalidate_paths(&self, name: &str, paths: &[String]) -> Result<(), Fault> {
        let path = format!("/2020-05-31/distribution/{}/invalidation", self.distribution);
        let call = post_xml(&self.config, "cloudfront", &path, batch(name, paths));
        let late = |_| Fault::unavailable("CloudFront did not answer in time");
        let (status, answer) =
            tokio::time::timeout(budget::remaining(), call).await.map_err(late)?.map_err(Fault::unavailable)?;
        if (200..300).contains(&status) {
            return Ok(());
        }
        // 15 paths with an asterisk can be under way at a time. The message then comes again later.
        let code = answer.split("<Code>").nth(1).and_then(|rest| rest.split("</Code>").next()).unwrap_or("no code");
        Err(Fault::unavailable(format!("CloudFront answered {status}: {code}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_names_its_paths_and_their_number() {
        let paths = ["/public/pub_1".to_owned(), "/user_a/images/x&y*".to_owned()];
        assert_eq!(
            batch("e1", &paths),
            "<InvalidationBatch xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\"><CallerReference>e1</CallerReference>\
             <Paths><Items><Path>/public/pub_1</Path><Path>/user_a/images/x&amp;y*</Path></Items><Quantity>2</Quantity></Paths>\
             </InvalidationBatch>"
        );
    }
}
