use crate::event::Meaning;

use super::of;

fn all(expected: Meaning, texts: &[&str]) {
    for text in texts {
        assert_eq!(of(text).mean, expected, "{text}");
    }
}

#[test]
fn a_step_is_announced() {
    all(
        Meaning::Announces,
        &[
            "The tests fail. Let me look at the log.",
            "I'll fix these three errors.",
            "Since it is an old file, I'll leave the format and change the name.",
            "Here is the plan:",
            "Ich prüfe jetzt die Tests.",
            "Je vais vérifier les tests.",
            "Voy a revisar las pruebas.",
            "まずテストを確認します。",
            "让我检查一下测试。",
        ],
    );
}

#[test]
fn a_person_is_asked() {
    all(
        Meaning::Asks,
        &[
            "Both work. Which one do you want?",
            "Do you want to:\n- **keep** the file\n- **delete** the file",
            "Please confirm that I may delete the branch.",
            "I can do it in two ways. Let me know which you prefer.",
            "Should I go on? It takes about an hour.",
            "Soll ich die Datei löschen?",
            "Bitte bestätige, dass ich löschen darf.",
            "Voulez-vous que je continue ?",
            "¿Quieres que continúe?",
            "続けてもよろしいでしょうか。",
            "需要我继续吗？",
            "请确认是否删除该文件。",
        ],
    );
}

#[test]
fn a_result_is_reported() {
    all(
        Meaning::Reports,
        &[
            "Done. All 12 tests pass.",
            "You wrote “what does it do?”.",
            "It prints \"who are you?\"",
            "sh\nmake\n```\nIt works now.",
            "Try it and let me know if you hit any issues!",
            "The server runs. Is there anything else I can help with?",
            "Run it again:\n```sh\nmake test\n```",
            "I'll let you know when it is done.",
            "Alle Tests laufen durch.",
            "Tous les tests passent.",
            "Todas las pruebas pasan.",
            "テストはすべて成功しました。",
            "所有测试都通过了。",
            "",
            "---",
        ],
    );
}

#[test]
fn the_last_sentence_is_kept() {
    assert_eq!(of("All good.\n\n**Shall I push?**").last, "Shall I push?");
    let long = "x".repeat(5000);
    assert_eq!(of(&long).last.len(), 200);
}
