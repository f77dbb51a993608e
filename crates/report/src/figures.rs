//! How figures are written: three decimals, a dash where a figure is not defined.

/// A figure that is not defined.
pub(crate) const UNDEFINED: &str = "–";

pub(crate) fn figure(x: f64) -> String {
    format!("{x:.3}")
}

pub(crate) fn optional(x: Option<f64>) -> String {
    x.map_or_else(|| UNDEFINED.to_owned(), figure)
}

/// A difference, with its sign.
pub(crate) fn difference(x: f64) -> String {
    format!("{x:+.3}")
}

/// An interval in two decimals: it is not known better than that.
pub(crate) fn interval(ci95: Option<[f64; 2]>) -> String {
    ci95.map_or_else(|| UNDEFINED.to_owned(), |[low, high]| format!("[{low:.2}, {high:.2}]"))
}

/// A p-value as journals print it.
pub(crate) fn p_value(p: f64) -> String {
    if p < 0.001 { "<0.001".to_owned() } else { format!("{p:.3}") }
}

pub(crate) fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| UNDEFINED.to_owned(), |x| format!("{:.1} %", 100.0 * x))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_defined_is_a_dash() {
        assert_eq!((optional(None), interval(None), percent(None)), ("–".into(), "–".into(), "–".into()));
        assert_eq!(interval(Some([0.123, 0.456])), "[0.12, 0.46]");
        assert_eq!(difference(0.05), "+0.050");
        assert_eq!((p_value(0.0004), p_value(0.04)), ("<0.001".into(), "0.040".into()));
    }
}
