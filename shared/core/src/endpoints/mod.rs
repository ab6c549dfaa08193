//! Customers' endpoints: URLs to which an organisation's events are delivered as signed webhooks.

mod audience;
mod record;
mod step;
mod url;
mod view;

pub use audience::{Audience, offered, offered_names};
pub use record::{
    DisabledBecause, ENDPOINTS_MAX, Endpoint, EndpointStatus, FAILING_GRACE, FAILING_INTERVAL, FAILING_MAX,
    NewEndpoint, endpoint_in_path, endpoint_not_found, events_of, too_many_endpoints, url_taken,
};
pub use step::{EndpointPatch, EndpointStep, GRACE_MAX};
pub use url::{HookUrl, URL_MAX};
pub use view::{EndpointView, IssuedEndpoint};
