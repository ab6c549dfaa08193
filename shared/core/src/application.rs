//! The application in which people use the product. Mails link to its pages, and buyers return to them.

use crate::OrgId;

/// The application, by its URL. Only this type knows the URLs of its pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application(String);

impl Application {
    /// Creates it from its URL, with or without a slash at the end.
    pub fn at(url: &str) -> Self {
        Self(url.trim_end_matches('/').to_owned())
    }

    /// Returns the URL of a job.
    pub fn job(&self, id: &str) -> String {
        format!("{}/jobs/{}", self.0, plain(id))
    }

    /// Returns the URL of an order, for those who work on orders.
    pub fn order(&self, id: &str) -> String {
        format!("{}/orders/{}", self.0, plain(id))
    }

    /// Returns the URL of a person's files.
    pub fn files(&self) -> String {
        format!("{}/files", self.0)
    }

    /// Returns the URL of the page of a person's account.
    pub fn account(&self) -> String {
        format!("{}/account", self.0)
    }

    /// Returns the URL of an organisation's keys.
    pub fn keys(&self, org: OrgId) -> String {
        format!("{}/orgs/{org}/keys", self.0)
    }

    /// Returns the URL of the page with an organisation's credits.
    pub fn wallet(&self, org: OrgId) -> String {
        format!("{}/orgs/{org}/wallet", self.0)
    }

    /// Returns the URL of an organisation's endpoints.
    pub fn endpoints(&self, org: OrgId) -> String {
        format!("{}/orgs/{org}/endpoints", self.0)
    }

    /// Returns the URL at which an invitation is accepted.
    pub fn invitation(&self, token: &str) -> String {
        // The parts of a token are separated by full stops, which have no meaning in a query.
        let parts: Vec<String> = token.split('.').map(plain).collect();
        format!("{}/invitations/accept?token={}", self.0, parts.join("."))
    }
}

/// Removes characters that would have a meaning in a URL. Ids and tokens have none.
fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || "-_~".contains(*c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_tokens_cannot_change_the_meaning_of_a_url() {
        let application = Application::at("https://app.example.com/");
        assert_eq!(application.files(), "https://app.example.com/files");
        assert_eq!(application.invitation("a.B-_9"), "https://app.example.com/invitations/accept?token=a.B-_9");
        assert_eq!(application.job("job_01/../x?y"), "https://app.example.com/jobs/job_01xy");
        assert_eq!(application.invitation("a\r\n&b=\"c"), "https://app.example.com/invitations/accept?token=abc");
    }
}
