//! The pages in a real browser: nothing goes wrong in them, filters filter, the keyboard reaches everything, and text
//! can be read in light and dark.
//!
//! Needs Chromium, on the path or named by `$CHROMIUM`; without it nothing is checked, and the test says so.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test panics when it fails, and says why it is skipped")]

#[path = "browser/chromium.rs"]
mod chromium;
mod program;

use std::path::PathBuf;

use chromium::Browser;
use program::{Home, data};
use serde_json::json;

const CONTRAST: &str = include_str!("browser/contrast.js");

/// Counts what a reader sees.
const SEEN: &str = "[...document.querySelectorAll('[data-item]')].filter((i) => !i.hidden).length";

/// The pages of all commands that make one.
struct Pages {
    classify: PathBuf,
    evaluate: PathBuf,
    compare: PathBuf,
    _home: Home,
}

impl Pages {
    fn new() -> Self {
        let home = Home::new();
        let (documents, gold) = (data("documents"), data("gold.jsonl"));
        home.run(&["classify", &documents, "-o", "classify.html"]).exits(0);
        home.run(&["evaluate", "--gold", &gold, "--draws", "100", "-o", "evaluate.html"]).exits(0);
        home.run(&["compare", &documents, "--draws", "100", "--lang", "zh", "-o", "compare.html"]).exits(0);
        let path = |name: &str| home.work().join(name);
        Self {
            classify: path("classify.html"),
            evaluate: path("evaluate.html"),
            compare: path("compare.html"),
            _home: home,
        }
    }

    fn all(&self) -> [&PathBuf; 3] {
        [&self.classify, &self.evaluate, &self.compare]
    }
}

/// One test, since starting a browser and making the pages is most of the work.
#[test]
fn pages_work_in_a_browser() {
    let Some(program) = chromium::find() else {
        eprintln!("SKIPPED: there is no Chromium on the path; install it, or name it in $CHROMIUM");
        return;
    };
    let pages = Pages::new();
    let mut browser = Browser::start(&program);
    nothing_goes_wrong(&mut browser, &pages);
    text_can_be_read(&mut browser, &pages);
    filters_of_classify(&mut browser, &pages);
    filters_of_evaluate(&mut browser, &pages);
    filters_of_compare(&mut browser, &pages);
    tables_are_sorted(&mut browser, &pages);
    the_keyboard_reaches_the_filters(&mut browser, &pages);
}

fn nothing_goes_wrong(browser: &mut Browser, pages: &Pages) {
    for page in pages.all() {
        for width in [1280, 390] {
            browser.open(page, "light", width);
            assert_eq!(browser.complaints(), Vec::<serde_json::Value>::new(), "{}", page.display());
            let wide = browser.js("document.documentElement.scrollWidth").as_u64().unwrap();
            assert!(wide <= u64::from(width), "{} is {wide} wide on a screen of {width}", page.display());
        }
        assert_eq!(browser.js("performance.getEntriesByType('resource').length"), json!(0), "nothing is fetched");
        let ids = browser.js("[...document.querySelectorAll('a[href]')].every((a) => document.getElementById(a.getAttribute('href').slice(1)))");
        assert_eq!(ids, json!(true), "{}: every link leads somewhere", page.display());
    }
}

fn text_can_be_read(browser: &mut Browser, pages: &Pages) {
    for page in pages.all() {
        for scheme in ["light", "dark"] {
            browser.open(page, scheme, 1280);
            browser.js("document.querySelectorAll('details').forEach((d) => (d.open = true))");
            let result = browser.js(CONTRAST);
            assert!(result["pairs"].as_u64().unwrap() > 10, "{result}");
            assert_eq!(result["faint"], json!([]), "{} in {scheme}", page.display());
        }
    }
}

/// Sets a field of the filters, and waits for what comes of it.
fn set(browser: &mut Browser, selector: &str, property: &str, value: &str) {
    browser.js(&format!(
        "(() => {{ const field = document.querySelector({selector:?}); field.{property} = {value}; \
         for (const kind of ['input', 'change']) field.dispatchEvent(new Event(kind, {{ bubbles: true }})); }})()"
    ));
}

/// What the counter says, after checking that it is true.
#[track_caller]
fn shown(browser: &mut Browser) -> u64 {
    let seen = browser.js(SEEN).as_u64().unwrap();
    assert_eq!(browser.js("document.querySelector('output').textContent"), json!(seen.to_string()));
    seen
}

fn reset(browser: &mut Browser) {
    browser.js("document.querySelector('button[type=reset]').click()");
    browser.js("new Promise((done) => setTimeout(done, 50))");
}

fn filters_of_classify(browser: &mut Browser, pages: &Pages) {
    browser.open(&pages.classify, "light", 1280);
    let all = shown(browser);
    assert!(all > 20, "{all}");
    let labelled = browser.js("document.querySelectorAll('article:not([data-t=\"\"])').length").as_u64().unwrap();

    set(browser, "[name=labelled]", "checked", "true");
    assert_eq!(shown(browser), labelled);
    assert!(labelled > 0 && labelled < all);
    let empty = "[...document.querySelectorAll('h3:not([hidden])')].some((h) => { \
                 for (let n = h.nextElementSibling; n && n.localName !== 'h3'; n = n.nextElementSibling) \
                 if (n.matches('[data-item]:not([hidden])')) return false; return true; })";
    assert_eq!(browser.js(empty), json!(false), "no heading stands above nothing");
    reset(browser);
    assert_eq!(shown(browser), all);

    browser.js("document.querySelector('nav [name=t]').click()");
    let expected = browser.js("(() => { const t = document.querySelector('nav [name=t]').value; \
         return document.querySelectorAll(`article[data-t~=\"${t}\"]`).length; })()");
    assert_eq!(json!(shown(browser)), expected);
    set(browser, "[name=min]", "value", "'1'");
    let surest = shown(browser);
    assert!(json!(surest) != expected || surest == 0, "no paragraph is as sure as that");
    reset(browser);

    set(browser, "select[data-by=doc]", "value", "'1'");
    assert_eq!(json!(shown(browser)), browser.js("document.querySelectorAll('[data-doc=\"1\"]').length"));
    assert_eq!(browser.js("document.querySelectorAll('section:not([hidden])').length"), json!(1));
    reset(browser);

    set(browser, "select[data-by=role]", "value", "'evidence'");
    let evidence = shown(browser);
    assert_eq!(json!(evidence), browser.js("document.querySelectorAll('[data-role=evidence]').length"));
    assert!(evidence > 0 && evidence < all, "{evidence} of {all}");
    reset(browser);

    set(browser, "[name=q]", "value", "'explanation'");
    assert_eq!(shown(browser), 0, "the word in the margin is no text");
    set(browser, "[name=q]", "value", "'no document says this'");
    assert_eq!(shown(browser), 0);
    assert_eq!(browser.js("document.querySelectorAll('section:not([hidden])').length"), json!(0));
    reset(browser);
    assert_eq!(shown(browser), all);
}

fn filters_of_evaluate(browser: &mut Browser, pages: &Pages) {
    browser.open(&pages.evaluate, "light", 1280);
    let all = shown(browser);
    set(browser, "select[data-by=kind]", "value", "'miss'");
    let misses = shown(browser);
    set(browser, "select[data-by=kind]", "value", "'false_alarm'");
    assert_eq!(misses + shown(browser), all, "an error is a miss or a false alarm");
    set(browser, "select[data-by=system]", "value", "'rules'");
    assert!(shown(browser) < all);
    assert_eq!(browser.js("document.querySelectorAll('section:not([hidden])').length"), json!(1));
}

fn filters_of_compare(browser: &mut Browser, pages: &Pages) {
    browser.open(&pages.compare, "light", 1280);
    let all = shown(browser);
    browser.js("document.querySelector('nav [name=t]').click()");
    let picked = shown(browser);
    assert!(picked > 0 && picked < all, "{picked} of {all}");
    assert_eq!(json!(picked.to_string()), browser.js("document.querySelector('nav label.chip b').textContent"));
}

fn tables_are_sorted(browser: &mut Browser, pages: &Pages) {
    browser.open(&pages.evaluate, "light", 1280);
    let column = "[...table.tBodies[0].rows].map((row) => Number(row.children[1].textContent))";
    let clicked = |times: usize| {
        format!(
            "(() => {{ const table = [...document.querySelectorAll('table[data-sort]')] \
             .find((t) => t.rows[0].cells[1].textContent === 'n'); \
             const button = table.rows[0].cells[1].querySelector('button'); \
             for (let i = 0; i < {times}; i++) button.click(); return {column}; }})()"
        )
    };
    let numbers = |value: serde_json::Value| -> Vec<u64> {
        value.as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect()
    };
    let down = numbers(browser.js(&clicked(1)));
    assert!(down.len() > 2 && down.is_sorted_by(|a, b| a >= b), "{down:?}");
    let up = numbers(browser.js(&clicked(1)));
    assert!(up.is_sorted() && up != down, "{up:?}");
}

fn the_keyboard_reaches_the_filters(browser: &mut Browser, pages: &Pages) {
    browser.open(&pages.classify, "light", 1280);
    let all = shown(browser);
    let focus = "(document.activeElement.name || document.activeElement.dataset.by || \
                 document.activeElement.className || document.activeElement.type || document.activeElement.localName)";
    let mut reached = Vec::new();
    for _ in 0..8 {
        browser.press("Tab");
        reached.push(browser.js(focus).as_str().unwrap().to_owned());
        assert_ne!(
            browser.js("getComputedStyle(document.activeElement).outlineStyle"),
            json!("none"),
            "one sees where one is: {reached:?}"
        );
    }
    assert_eq!(reached, ["skip", "q", "doc", "role", "min", "labelled", "reset", "summary"]);
    browser.press("Enter");
    assert_eq!(browser.js("document.activeElement.parentElement.open"), json!(true));
    browser.press("Tab");
    assert_eq!(browser.js(focus), json!("t"));
    browser.press("Space");
    let picked = shown(browser);
    assert!(picked > 0 && picked < all, "{picked} of {all}");
}
