//! How the training of a model went, as a page: what it lost on its samples, and what it scored on others.

use maud::html;

use crate::figures::figure;
use crate::html::chart::{self, Line, legend, system_class};
use crate::html::{Lang, page};

/// A moment of training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainingPoint {
    /// Share of all steps that are done, in [0, 1].
    pub done: f64,
    /// Mean loss since the point before; at least 0.
    pub loss: f64,
    /// At the end of a pass, macro-F1 and micro-F1 on the tuning samples.
    pub tune: Option<[f64; 2]>,
}

/// The curves of a training as one self-contained page. The loss is drawn relative to its highest.
pub fn training_html(points: &[TrainingPoint], lang: Lang) -> String {
    let most = points.iter().map(|p| p.loss).fold(f64::MIN_POSITIVE, f64::max);
    let tuned: Vec<(f64, [f64; 2])> = points.iter().filter_map(|p| Some((p.done, p.tune?))).collect();
    let names = [lang.t("loss"), lang.t("macro-f1"), lang.t("micro-f1")];
    let curves = [
        points.iter().map(|p| (p.done, p.loss / most)).collect(),
        tuned.iter().map(|(done, [macro_f1, _])| (*done, *macro_f1)).collect(),
        tuned.iter().map(|(done, [_, micro_f1])| (*done, *micro_f1)).collect(),
    ];
    let lines: Vec<Line<'_>> = names
        .into_iter()
        .zip(curves)
        .enumerate()
        .map(|(i, (name, points))| Line { name, class: system_class(i), points })
        .collect();
    let body = html! {
        header { h1 { (lang.t("training")) } }
        main {
            (legend(names.into_iter()))
            (chart::lines(lang.t("training"), lang.t("steps-done"), "", false, &lines))
            table {
                thead { tr {
                    th scope="col" { (lang.t("pass")) }
                    @for name in &names[1..] { th.n scope="col" { (name) } }
                } }
                tbody {
                    @for (pass, (_, scores)) in tuned.iter().enumerate() {
                        tr { td { (pass + 1) } @for score in scores { td.n { (figure(*score)) } } }
                    }
                }
            }
            p.explain { (lang.t("training-doc")) }
        }
    };
    page(lang, lang.t("training"), &body).into_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_the_loss_and_a_row_for_each_pass() {
        let point = |done, loss, tune| TrainingPoint { done, loss, tune };
        let points = [point(0.25, 0.8, None), point(0.5, 0.4, Some([0.3, 0.4])), point(1.0, 0.2, Some([0.5, 0.6]))];
        let page = training_html(&points, Lang::En);
        // Half the highest loss at half the way: the middle of the chart.
        assert!(page.contains("109.0,10.0 174.0,140.0 304.0,205.0"), "{page}");
        assert!(page.contains("<td>2</td><td class=\"n\">0.500</td><td class=\"n\">0.600</td>"), "{page}");
        assert!(training_html(&[], Lang::Zh).contains("<tbody></tbody>"));
    }
}
