//! Which method to trust, on what, and how sure: label files, metrics with intervals, agreement, thresholds.

pub mod gold;
