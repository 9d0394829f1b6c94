/** Go's template language (`text/template`) for prompts: parse, check against the shape of the data, render. What it does not support is an
 *  error with line and column, never another text; a template can execute nothing. */
import { check, type Shape } from "./check.ts";
import { evaluate } from "./evaluate.ts";
import { type Template, TemplateError, type TemplateProblem, toProblem, type Value } from "./nodes.ts";
import { parse } from "./parser.ts";

/** The template, or its first mistake. */
export function parseTemplate(text: string): { template: Template } | { problem: TemplateProblem } {
  try {
    return { template: parse(text) };
  } catch (error) {
    if (error instanceof TemplateError) return { problem: toProblem(text, error) };
    throw error;
  }
}

/** Everything that can be known to go wrong with data of this shape, in the order of the text. */
export function checkTemplate(template: Template, shape: Shape): TemplateProblem[] {
  return check(template, shape).map((error) => toProblem(template.text, error));
}

/** The text, or why these data make none. */
export function renderTemplate(template: Template, data: Value): { text: string } | { problem: TemplateProblem } {
  try {
    return { text: evaluate(template, data) };
  } catch (error) {
    if (error instanceof TemplateError) return { problem: toProblem(template.text, error) };
    throw error;
  }
}
