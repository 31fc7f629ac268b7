// Scenes for the stage, as in cl_helpers/widgets/scenes.yaml: settings, methods one after the other, moves
// of λ at a place in tasks, and a question to the hall.

const FIVE = { stream: "permuted", tasks: 5, seed: 0 };

export const SCENES = [
  {
    title: "Forgetting", say: "One network learns five tasks, one after another. Nothing is held.",
    ask: "What is the accuracy on task 1 at the end, in %?", outcome: "first", set: FIVE, runs: ["none"],
  },
  {
    title: "EWC holds what matters",
    say: "The same tasks. Weights that mattered are held, each as strongly as it mattered.",
    ask: "What is the accuracy on task 1 at the end now, in %?", outcome: "first", set: FIVE, runs: ["ewc"],
  },
  {
    title: "Too much λ",
    say: "After two tasks λ is moved far up. What do the later tasks find free to move?",
    ask: "What is the average accuracy at the end, in %?", outcome: "average", set: FIVE, runs: ["ewc"],
    moves: [[2, 1e4]],
  },
  {
    title: "Four side by side",
    say: "One penalty, four ways to say which weights matter, L2 among them: all alike.",
    ask: "Which one ends highest?", outcome: "best", set: FIVE, runs: ["l2", "ewc", "mas", "si"],
  },
  {
    title: "New digits in each task (Class-IL)",
    say: "Now each task has two new digits, which compete with all before them.",
    ask: "Which one ends highest?", outcome: "best", set: { ...FIVE, stream: "split" },
    runs: ["none", "ewc", "si", "er"],
  },
].map((scene) => ({ moves: [], options: scene.outcome === "best" ? scene.runs : [], ...scene }));
