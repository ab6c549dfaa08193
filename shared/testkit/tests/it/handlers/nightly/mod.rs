//! What runs by itself: sweep, statistics, quotas and anomalies.

mod anomaly_detect;
pub mod night_of_quotas;
pub mod night_of_stats;
pub mod night_of_storage;
mod reconcile;
mod reconcile_daily;
pub mod stats;
pub mod sweep;
