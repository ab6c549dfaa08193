//! Reads single metrics of CloudWatch.

use std::time::Duration;

use consigne_runtime::clock;

use crate::aws::xml::{rows, value};
use crate::aws::{Aws, Refusal};

/// A metric over the last minutes.
#[derive(Clone, Debug)]
pub(crate) struct Metric<'a> {
    /// Its namespace, such as `AWS/SQS`.
    pub(crate) namespace: &'static str,
    /// Its name.
    pub(crate) name: &'static str,
    /// The dimension by which it is told apart.
    pub(crate) dimension: Option<(&'static str, &'a str)>,
    /// `Maximum` or `Sum`.
    pub(crate) statistic: &'static str,
    /// The span until now, in minutes.
    pub(crate) minutes: u64,
}

/// Returns the sum or the largest value of a metric in the span, or `None` if nothing was measured.
pub(crate) async fn over(aws: &Aws, metric: &Metric<'_>) -> Result<Option<f64>, Refusal> {
    let now = clock::now();
    let (from, to) = (now.minus(Duration::from_secs(metric.minutes * 60)).to_string(), now.to_string());
    let period = (metric.minutes * 60).to_string();
    let mut form = vec![
        ("Action", "GetMetricStatistics"),
        ("Version", "2010-08-01"),
        ("Namespace", metric.namespace),
        ("MetricName", metric.name),
        ("StartTime", &from),
        ("EndTime", &to),
        ("Period", &period),
        ("Statistics.member.1", metric.statistic),
    ];
    if let Some((name, value)) = metric.dimension {
        form.extend([("Dimensions.member.1.Name", name), ("Dimensions.member.1.Value", value)]);
    }
    let answer = aws.query("monitoring", "cloudwatch:GetMetricStatistics", &form).await?;
    Ok(joined(&points(&answer.body, metric.statistic), metric.statistic))
}

/// Joins the values of several periods to one: CloudWatch may divide the span.
fn joined(points: &[f64], statistic: &str) -> Option<f64> {
    let join = if statistic == "Sum" { |a: f64, b: f64| a + b } else { f64::max };
    points.iter().copied().reduce(join)
}

/// Reads the values of an answer of `GetMetricStatistics`.
fn points(text: &str, statistic: &str) -> Vec<f64> {
    let rows = rows(text, "member", &[statistic]);
    rows.iter().filter_map(|row| value(row, statistic).parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_from_a_recorded_answer() {
        let answer = "<GetMetricStatisticsResponse><GetMetricStatisticsResult><Datapoints><member><Unit>Seconds</Unit><Maximum>42.5\
                      </Maximum><Timestamp>2026-11-28T10:00:00Z</Timestamp></member><member><Maximum>7.0</Maximum></member>\
                      </Datapoints></GetMetricStatisticsResult></GetMetricStatisticsResponse>";
        assert_eq!(points(answer, "Maximum"), [42.5, 7.0]);
        assert!(points(answer, "Sum").is_empty());
        assert_eq!(
            (joined(&[3.0, 4.0], "Sum"), joined(&[3.0, 4.0], "Maximum"), joined(&[], "Sum")),
            (Some(7.0), Some(4.0), None)
        );
    }
}
