//! What runs by itself: sweep, statistics, quotas and anomalies.

mod anomaly_detect;
pub mod night_of_quotas;
pub mod night_of_stats;
pub mod night_of_storage;
pub mod stats;
pub mod sweep;
