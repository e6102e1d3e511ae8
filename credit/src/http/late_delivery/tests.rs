use std::collections::BTreeMap;

use schemas::time::Instant;

use super::*;
use crate::lateness::metrics::Bootstrap;
use crate::lateness::{Artefact, evaluate};

fn evaluation() -> Evaluation {
    let end = Instant::parse_rfc3339("2015-09-14T19:00:00Z").unwrap();
    let how = Bootstrap { draws: 20, seed: 1 };
    let orders = crate::lateness::samples::orders();
    let origins = vec!["deliveries.test/replay".to_owned()];
    evaluate(&orders, origins, &Artefact::built_in().unwrap(), end, how).0
}

fn render(language: Language, evaluation: Option<&Evaluation>) -> askama::Result<String> {
    let uri = Uri::from_static("/models/late-delivery");
    made(Shell::plain(&uri, language), language, evaluation).render()
}

#[test]
fn the_page_has_every_figure_in_both_languages() {
    let evaluation = evaluation();
    let auc = evaluation.quality.auc.unwrap();
    for language in [Language::En, Language::ZhCn] {
        let page = render(language, Some(&evaluation)).unwrap();
        for supplier in &evaluation.suppliers {
            assert!(page.contains(supplier.supplier.as_str()));
        }
        assert!(
            page.contains(&format!("{:.4}", auc.value))
                && page.contains(&format!("{:.4}", auc.low))
        );
        assert!(
            page.contains("<title id=\"chart-title\">")
                && page.contains("<desc id=\"chart-description\">")
        );
        assert_eq!(
            page.matches("<circle class=\"point\"").count(),
            evaluation.quality.calibration.len()
        );
        assert!(!page.contains("NaN") && !page.contains("style="));
        assert!(page.contains(&evaluation.model.hash.to_string()));
    }
    let page = render(Language::En, Some(&evaluation)).unwrap();
    assert!(page.contains("Historical replay") && page.contains("Insufficient evidence"));
    let page = render(Language::ZhCn, Some(&evaluation)).unwrap();
    assert!(page.contains("历史回放") && page.contains("证据不足"));
}

#[test]
fn without_any_evidence_the_page_still_stands() {
    let page = render(Language::En, None).unwrap();
    assert!(page.contains("was not evaluated"));
    let end = Instant::from_seconds(1_500_000_000);
    let how = Bootstrap { draws: 20, seed: 1 };
    let (empty, scored) = evaluate(
        &BTreeMap::new(),
        Vec::new(),
        &Artefact::built_in().unwrap(),
        end,
        how,
    );
    assert!(scored.is_empty() && !empty.is_replay() && empty.better.is_none());
    let page = render(Language::ZhCn, Some(&empty)).unwrap();
    assert!(!page.contains("NaN"), "{page}");
}
