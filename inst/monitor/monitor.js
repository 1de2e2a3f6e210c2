// The monitor of a task queue in the browser. It applies what the server tells (R/shiny-monitor-server.R) to the page:
// rows are found by the id of their task and only what changed is touched, so that focus, choice and scrolling stay.
// It decides nothing. What a task says reaches the page as text only: textContent, never HTML.
(function () {
  "use strict";

  const KEPT_CHARS = 400000;   // of each stream on the page
  const monitors = new Map();  // by the id of their element

  function make(tag, className, text) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  }

  function setText(element, text) {
    if (element && element.textContent !== text) element.textContent = text;
  }

  // Hiding or disabling an element that has the focus would lose the place of who works by keyboard.
  function setHidden(element, hidden, instead) {
    if (!element || element.hidden === hidden) return;
    const hadFocus = hidden && element.contains(document.activeElement);
    element.hidden = hidden;
    if (hadFocus && instead && !instead.hidden) instead.focus();
  }

  // Control sequences of terminals, which a page cannot show.
  function plain(text) {
    // eslint-disable-next-line no-control-regex
    return text.replace(/\u001b\[[0-9;?]*[ -/]*[@-~]/g, "").replace(/\r\n/g, "\n");
  }

  // Red, green, blue and opacity of a colour as the browser computes it.
  function channels(colour) {
    const parts = (colour.match(/[\d.]+/g) || []).map(Number);
    return parts.length === 3 ? parts.concat(1) : parts;
  }

  // A table whose rows have keys. Its header says which columns there are and how a cell of each is made.
  class Table {
    constructor(element, onRow) {
      this.body = element.tBodies[0];
      this.columns = Array.from(element.tHead.querySelectorAll("th"), (th) => ({
        name: th.dataset.col, kind: th.dataset.kind, label: th.textContent.trim()
      }));
      this.table = element;
      this.isGrid = element.getAttribute("role") === "grid";
      this.rows = new Map();
      this.onRow = onRow;
    }

    update(news) {
      const focused = this.body.contains(document.activeElement) ? document.activeElement.closest("tr") : null;
      const place = focused ? Array.prototype.indexOf.call(this.body.rows, focused) : -1;
      if (news.order) this.drop(new Set(news.order));
      for (const { id, set } of news.rows) {
        if (!this.rows.has(id)) this.rows.set(id, this.row(id));
        this.fill(this.rows.get(id), set);
      }
      this.hideEmpty();
      if (news.order) this.arrange(news.order.map((id) => this.rows.get(id)), focused);
      // The focused task has left the page: the one in its place takes over.
      if (focused && !focused.isConnected && this.body.rows.length) {
        const next = this.body.rows[Math.min(place, this.body.rows.length - 1)];
        if (this.onRow) this.onRow(next);
        next.focus({ preventScroll: true });
      }
    }

    // Columns of which no row says anything. The task and its state are always there.
    hideEmpty() {
      const says = (name) => Array.from(this.rows.values()).some((row) =>
        row.querySelector('[data-col="' + name + '"]').textContent !== "");
      const optional = this.columns.filter(({ kind }) => kind === "text" || kind === "number").map(({ name }) => name);
      this.table.dataset.empty = optional.filter((name) => !says(name)).join(" ");
    }

    drop(kept) {
      for (const [id, row] of this.rows) {
        if (kept.has(id)) continue;
        row.remove();
        this.rows.delete(id);
      }
    }

    // Puts the rows in order around the focused one, which itself is never moved: that would take its focus away.
    arrange(rows, focused) {
      let at = rows.indexOf(focused);
      if (at < 0) {
        if (!rows.length) return;
        at = 0;
        if (this.body.firstChild !== rows[0]) this.body.insertBefore(rows[0], this.body.firstChild);
      }
      for (let i = at + 1; i < rows.length; i++) {
        if (rows[i - 1].nextSibling !== rows[i]) this.body.insertBefore(rows[i], rows[i - 1].nextSibling);
      }
      for (let i = at - 1; i >= 0; i--) {
        if (rows[i + 1].previousSibling !== rows[i]) this.body.insertBefore(rows[i], rows[i + 1]);
      }
    }

    row(id) {
      const row = make("tr");
      row.dataset.id = id;
      if (this.isGrid) {
        row.setAttribute("role", "row");
        row.setAttribute("aria-selected", "false");
        row.tabIndex = -1;
      }
      this.columns.forEach(({ name, kind, label }, index) => {
        const isHeader = this.isGrid ? name === "id" : index === 0;
        const cell = make(isHeader ? "th" : "td", "tqm-" + kind);
        if (isHeader) cell.scope = "row";
        if (this.isGrid) cell.setAttribute("role", isHeader ? "rowheader" : "gridcell");
        cell.dataset.col = name;
        cell.dataset.label = label;
        if (this.isGrid && name === "id") this.text(cell, id);
        if (kind === "pick") cell.append(make("span", "tqm-tick"));
        row.append(cell);
      });
      return row;
    }

    fill(row, set) {
      for (const [name, value] of Object.entries(set)) {
        const cell = row.querySelector('[data-col="' + (name === "message" ? "progress" : name) + '"]');
        if (!cell) continue;
        if (name === "message") this.message(cell, value);
        else if (name === "progress") this.progress(cell, value, row.dataset.id);
        else if (cell.classList.contains("tqm-state")) this.state(cell, value);
        else this.text(cell, value);
      }
    }

    text(cell, value) {
      setText(cell, value);
      if (value.length > 12) cell.title = value;
      else cell.removeAttribute("title");
    }

    state(cell, value) {
      let badge = cell.firstChild;
      if (!badge) {
        badge = make("span");
        cell.append(badge);
      }
      badge.className = "tqm-badge tqm-is-" + (/^[a-z]+$/.test(value) ? value : "other");
      setText(badge, value);
      const row = cell.parentNode;
      if (this.isGrid) row.dataset.state = value;
    }

    progress(cell, value, id) {
      let bar = cell.querySelector(".tqm-bar");
      if (value === "") {
        if (bar) bar.remove();
        return;
      }
      if (!bar) {
        bar = make("div", "tqm-bar");
        bar.setAttribute("role", "progressbar");
        bar.setAttribute("aria-valuemin", "0");
        bar.setAttribute("aria-valuemax", "100");
        bar.setAttribute("aria-label", "Progress of " + id);
        const track = make("span", "tqm-track");
        track.append(make("span", "tqm-done"));
        bar.append(track, make("span", "tqm-percent"));
        cell.prepend(bar);
      }
      const percent = Math.floor(Number(value) * 100);
      bar.setAttribute("aria-valuenow", String(percent));
      bar.setAttribute("aria-valuetext", percent + " %");
      bar.querySelector(".tqm-done").style.width = percent + "%";
      setText(bar.querySelector(".tqm-percent"), percent + " %");
    }

    message(cell, value) {
      let line = cell.querySelector(".tqm-message");
      if (!line && value === "") return;
      if (!line) {
        line = make("div", "tqm-message");
        cell.append(line);
      }
      setText(line, value);
      line.title = value;
    }
  }

  class Monitor {
    constructor(root) {
      this.root = root;
      this.ns = root.dataset.ns;
      this.instance = Date.now().toString(36) + Math.random().toString(36).slice(2);
      this.tasks = new Table(this.part("tasks"), (row) => this.rove(row));
      this.workers = new Table(this.part("workers-table"));
      this.head = { can: {} };
      this.page = { page: 1, pages: 1 };
      this.chosen = { n: 0, ids: new Set(), current: null, anchor: null };
      this.abort = new AbortController();
      this.listen();
      this.wear();
    }

    // Headers that stay while rows pass under them need the colour of the page, which only the page knows; and colours
    // that can be read on it.
    wear() {
      let colour = [255, 255, 255, 1];
      for (let element = this.root; element; element = element.parentElement) {
        const found = channels(getComputedStyle(element).backgroundColor);
        if (found.length === 4 && found[3] > 0.9) {
          colour = found;
          break;
        }
      }
      const [red, green, blue] = colour;
      const isDark = 0.299 * red + 0.587 * green + 0.114 * blue < 128;
      this.root.dataset.theme = isDark ? "dark" : "light";
      this.root.style.setProperty("--tqm-page", "rgb(" + [red, green, blue].join(",") + ")");
    }

    part(name) {
      return this.root.querySelector('[data-tq="' + name + '"]');
    }

    input(name) {
      return document.getElementById(this.ns + name);
    }

    send(name, value) {
      Shiny.setInputValue(this.ns + name, value, { priority: "event" });
    }

    // Whether anybody can see it: not in a hidden tab of the browser or of the page.
    isShown() {
      return this.root.isConnected && document.visibilityState === "visible" && this.root.getClientRects().length > 0;
    }

    watch(changed) {
      const look = () => {
        if (this.shown === this.isShown()) return;
        this.shown = this.isShown();
        if (this.shown) this.wear();
        changed();
      };
      this.shown = this.isShown();
      document.addEventListener("visibilitychange", look, { signal: this.abort.signal });
      this.resizes = new ResizeObserver(look);
      this.resizes.observe(this.root);
      this.themes = new MutationObserver(() => this.wear());
      this.themes.observe(document.documentElement, { attributes: true, attributeFilter: ["data-bs-theme", "class"] });
    }

    leave() {
      this.abort.abort();
      if (this.resizes) this.resizes.disconnect();
      if (this.themes) this.themes.disconnect();
      if (window.Shiny && Shiny.setInputValue) {
        Shiny.setInputValue(this.ns + "monitor", { instance: this.instance, shown: false });
      }
    }

    listen() {
      const options = { signal: this.abort.signal };
      const table = this.part("tasks");
      table.tHead.addEventListener("click", (event) => {
        const button = event.target.closest("button[data-sort]");
        if (button) this.sort(button.dataset.sort);
      }, options);
      table.tBodies[0].addEventListener("click", (event) => this.clicked(event), options);
      table.tBodies[0].addEventListener("mousedown", (event) => {
        // Shift marks rows here, not text.
        if (event.shiftKey) event.preventDefault();
      }, options);
      table.tBodies[0].addEventListener("keydown", (event) => this.pressed(event), options);
      table.tBodies[0].addEventListener("focusin", (event) => {
        const row = event.target.closest("tr");
        if (row) this.rove(row);
      }, options);
      this.part("previous").addEventListener("click", () => this.send("page", this.page.page - 1), options);
      this.part("next").addEventListener("click", () => this.send("page", this.page.page + 1), options);
      for (const count of this.counts()) {
        count.addEventListener("click", () => this.filter(count.dataset.state), options);
      }
      $(this.input("state")).on("change", () => this.markCounts());
      this.listenToCancel(options);
      this.part("copy").addEventListener("click", () => this.copy(), options);
      this.part("enlarge").addEventListener("click", () => this.enlarge(!this.isLarge), options);
      this.part("leave").addEventListener("click", () => {
        this.choose(new Set(), null, null);
        this.part("tasks").querySelector('tbody tr[tabindex="0"]')?.focus({ preventScroll: true });
      }, options);
      const workers = this.input("workers");
      if (workers) {
        workers.addEventListener("keydown", (event) => {
          if (event.key !== "Enter") return;
          event.preventDefault();
          // The field tells its value a moment after it changed; a button that is clicked comes after it.
          $(workers).trigger("change");
          this.input("resize").click();
        }, options);
      }
      const timeline = this.part("timeline");
      // Shiny draws what it can see, and looks when it is told to.
      const toggled = () => $(timeline).trigger(timeline.open ? "shown" : "hidden");
      if (timeline) timeline.addEventListener("toggle", toggled, options);
    }

    // One task is cancelled by one click. For more the button asks, before Shiny hears of the click.
    listenToCancel(options) {
      const cancel = this.input("cancel");
      const ask = (asks) => {
        setText(this.part("sure-yes"), "Cancel all " + this.active);
        setHidden(this.part("sure"), !asks, cancel);
        setHidden(cancel, asks, this.part("sure-yes"));
        if (asks) this.part("sure-no").focus();
        else cancel.focus();
      };
      cancel.parentNode.addEventListener("click", (event) => {
        if (!cancel.contains(event.target) || this.active < 2 || this.isSure) return;
        event.stopPropagation();
        ask(true);
      }, { ...options, capture: true });
      this.part("sure-no").addEventListener("click", () => ask(false), options);
      this.part("sure-yes").addEventListener("click", () => {
        ask(false);
        this.isSure = true;
        cancel.click();
        this.isSure = false;
      }, options);
    }

    counts() {
      return this.root.querySelectorAll(".tqm-count");
    }

    // The same count once more: all tasks again.
    filter(state) {
      const select = this.input("state");
      select.value = select.value === state ? "all" : state;
      $(select).trigger("change");
    }

    markCounts() {
      for (const count of this.counts()) {
        count.setAttribute("aria-pressed", String(count.dataset.state === this.input("state").value));
      }
    }

    apply(message) {
      if (message.head) this.showHead(message.head);
      if (message.alert !== undefined) {
        setText(this.part("alert"), message.alert);
        this.part("alert").hidden = message.alert === "";
      }
      if (message.notice !== undefined) setText(this.part("notice"), message.notice);
      if (message.tags) this.showTags(message.tags);
      if (message.tasks) {
        this.tasks.update(message.tasks);
        this.rove();
      }
      if (message.page) this.showPage(message.page);
      if (message.chosen) this.showChosen(message.chosen);
      else if (message.tasks) this.markRows();
      if (message.workers) this.workers.update(message.workers);
      if (message.output) this.showOutput(message.output);
      if (message.say) setText(this.part("say"), message.say);
    }

    showHead(head) {
      const can = head.can || {};
      this.head = head;
      setText(this.part("name"), head.name || "Task queue");
      const state = this.part("state");
      setText(state, head.state);
      state.className = "tqm-queue tqm-queue-" + head.state;
      if (head.counts) {
        for (const count of this.counts()) {
          const state = count.dataset.state;
          setText(this.part(state), head.counts[state]);
          const isUsual = ["waiting", "running", "success"].includes(state);
          setHidden(count.parentNode, !isUsual && head.counts[state] === "0" && this.input("state").value !== state);
        }
        setText(this.part("workers"), head.workers);
      }
      setText(this.part("activity"), head.activity ? "(" + head.activity + ")" : "");
      const more = this.part("more");
      more.hidden = !head.more;
      setText(more, head.more ? "and " + head.more + " more" : "");
      const [pause, resume] = [this.input("pause"), this.input("resume")];
      if (can.resume) setHidden(resume, false);
      if (can.pause) setHidden(pause, false);
      setHidden(pause, !can.pause, resume);
      setHidden(resume, !can.resume, pause);
      setHidden(this.part("resize"), !can.resize);
      setHidden(this.input("cancel"), !can.cancel);
      setHidden(this.part("tag-filter"), can.tag === false);
      if (this.part("timeline")) this.part("timeline").hidden = !can.timeline;
      // The field begins with the number that there is; then it is the user's.
      const workers = this.input("workers");
      if (workers && head.max_workers) workers.max = head.max_workers;
      if (can.resize && workers && workers.value === "" && document.activeElement !== workers && !this.hasSize) {
        this.hasSize = true;
        workers.value = head.workers.replace(/,/g, "");
        $(workers).trigger("change");
      }
    }

    showTags(tags) {
      const select = this.input("tag");
      if (!select) return;
      const wanted = ["", "-"].concat(tags.map((tag) => "=" + tag));
      const had = select.value;
      Array.from(select.options).forEach((option) => {
        if (!wanted.includes(option.value)) option.remove();
      });
      wanted.forEach((value, index) => {
        const option = select.options[index];
        if (option && option.value === value) return;
        const added = make("option", "", value.slice(1));
        added.value = value;
        select.insertBefore(added, option || null);
      });
      if (select.value !== had) select.value = had;
    }

    showPage(page) {
      this.page = page;
      setText(this.part("shown"), page.shown);
      const [previous, next] = [this.part("previous"), this.part("next")];
      const had = document.activeElement;
      previous.disabled = page.page <= 1;
      next.disabled = page.page >= page.pages;
      if (had === previous && previous.disabled && !next.disabled) next.focus();
      if (had === next && next.disabled && !previous.disabled) previous.focus();
      for (const th of this.part("tasks").tHead.querySelectorAll("th[aria-sort]")) {
        const isIt = th.dataset.col === page.by;
        th.setAttribute("aria-sort", isIt ? (page.descending ? "descending" : "ascending") : "none");
      }
      const isEmpty = !this.tasks.rows.size;
      this.part("empty").hidden = !isEmpty;
      if (isEmpty) setText(this.part("empty"), page.shown);
    }

    sort(by) {
      const descending = this.page.by === by ? !this.page.descending : false;
      this.send("sort", { by: by, descending: descending });
    }

    // Which rows are chosen is the page's to say, and the server's to correct: an answer to an older choice is late.
    showChosen(chosen) {
      if (chosen.n >= this.chosen.n) {
        this.chosen.ids = new Set(chosen.ids);
        this.chosen.current = chosen.current;
      }
      const button = this.input("cancel");
      this.active = chosen.active;
      if (button) {
        button.disabled = chosen.active === 0;
        const tasks = chosen.active === 1 ? " task" : " tasks";
        setText(this.part("cancel-count"), chosen.active === 0 ? "" : " " + chosen.active + tasks);
      }
      this.markRows();
    }

    markRows() {
      for (const [id, row] of this.tasks.rows) {
        row.setAttribute("aria-selected", String(this.chosen.ids.has(id)));
        row.classList.toggle("tqm-current", id === this.chosen.current);
      }
    }

    choose(ids, current, anchor) {
      this.chosen = { n: this.chosen.n + 1, ids: ids, current: current, anchor: anchor };
      this.markRows();
      this.send("chosen", { n: this.chosen.n, ids: Array.from(ids), current: current });
    }

    chooseOne(id) {
      this.choose(new Set([id]), id, id);
    }

    toggle(id) {
      const ids = new Set(this.chosen.ids);
      if (!ids.delete(id)) ids.add(id);
      const other = this.chosen.current === id ? Array.from(ids).pop() || null : this.chosen.current;
      const current = ids.has(id) ? id : other;
      this.choose(ids, current, id);
    }

    // From the last row that was chosen alone to this one.
    chooseTo(id) {
      const order = Array.from(this.tasks.body.rows, (row) => row.dataset.id);
      const from = order.indexOf(this.chosen.anchor);
      const to = order.indexOf(id);
      if (from < 0) return this.chooseOne(id);
      this.choose(new Set(order.slice(Math.min(from, to), Math.max(from, to) + 1)), id, this.chosen.anchor);
    }

    clicked(event) {
      const row = event.target.closest("tr");
      if (!row) return;
      const id = row.dataset.id;
      row.focus({ preventScroll: true });
      // Who marks text in order to copy it chooses nothing.
      const selection = window.getSelection();
      if (!event.shiftKey && String(selection).length && selection.containsNode(row, true)) return;
      if (event.shiftKey) this.chooseTo(id);
      else if (event.ctrlKey || event.metaKey || event.target.closest(".tqm-pick")) this.toggle(id);
      else this.chooseOne(id);
    }

    pressed(event) {
      const row = event.target.closest("tr");
      if (!row || event.altKey) return;
      const rows = this.tasks.body.rows;
      const move = (to) => {
        if (!to) return;
        to.focus();
        if (event.shiftKey) this.chooseTo(to.dataset.id);
      };
      switch (event.key) {
        case "ArrowDown": move(row.nextElementSibling); break;
        case "ArrowUp": move(row.previousElementSibling); break;
        case "Home": move(rows[0]); break;
        case "End": move(rows[rows.length - 1]); break;
        case "Enter": this.chooseOne(row.dataset.id); break;
        case " ": this.toggle(row.dataset.id); break;
        case "Escape": this.choose(new Set(), null, null); break;
        case "a":
        case "A":
          if (!event.ctrlKey && !event.metaKey) return;
          this.choose(new Set(Array.from(rows, (each) => each.dataset.id)), row.dataset.id, row.dataset.id);
          break;
        default: return;
      }
      event.preventDefault();
    }

    // One row can be reached by Tab: the last one that was, or the first.
    rove(row) {
      const rows = Array.from(this.tasks.body.rows);
      const reached = row || rows.find((each) => each.tabIndex === 0) || rows[0];
      for (const each of rows) {
        const index = each === reached ? 0 : -1;
        if (each.tabIndex !== index) each.tabIndex = index;
      }
    }

    showOutput(news) {
      const isIt = !news.ended;
      const streams = this.part("streams");
      if (!isIt) {
        if (news.gone) {
          this.showOutputOf("of " + news.id + " (it has left the queue)");
        } else {
          this.showOutputOf("");
          streams.hidden = true;
          this.part("output-buttons").hidden = true;
          this.part("output-error").hidden = true;
          this.part("output-none").hidden = false;
          this.part("output").classList.remove("tqm-docked");
          this.enlarge(false);
        }
        return;
      }
      this.part("output-none").hidden = true;
      this.part("output").classList.add("tqm-docked");
      this.part("output-buttons").hidden = false;
      streams.hidden = false;
      this.showOutputOf("of " + news.id + " (" + news.state + ")");
      const error = this.part("output-error");
      setText(error, news.error || "");
      error.hidden = !news.error;
      // First both are shown or hidden: where the end of a text is, to which it is scrolled, depends on its width.
      for (const name of ["stdout", "stderr"]) {
        const hasText = news[name].text || (!news.reset && this.part(name).textContent);
        this.part(name + "-stream").hidden = !hasText;
      }
      for (const name of ["stdout", "stderr"]) this.write(this.part(name), news[name], news.reset);
      const isEmpty = this.part("stdout-stream").hidden && this.part("stderr-stream").hidden;
      this.part("output-empty").hidden = !isEmpty || Boolean(news.error);
      setText(this.part("output-empty"), news.state === "running" || news.state === "waiting" ?
        "Nothing was written yet." : "Nothing was written.");
    }

    showOutputOf(text) {
      setText(this.part("output-of"), text);
      this.part("output-of").title = text;
    }

    enlarge(isLarge) {
      this.isLarge = isLarge;
      this.part("output").classList.toggle("tqm-large", isLarge);
      this.part("enlarge").setAttribute("aria-pressed", String(isLarge));
      setText(this.part("enlarge"), isLarge ? "Reduce" : "Enlarge");
      for (const name of ["stdout", "stderr"]) this.part(name).scrollTop = this.part(name).scrollHeight;
    }

    // Pages that are not served securely have no clipboard of their own: there, marked text is copied.
    async copy() {
      const parts = ["output-error", "stdout", "stderr"].map((name) => this.part(name));
      const shown = parts.filter((part) => part.textContent);
      const text = shown.map((part) => part.textContent.trimEnd()).join("\n");
      const say = (word) => {
        setText(this.part("copy"), word);
        setTimeout(() => setText(this.part("copy"), "Copy"), 2000);
      };
      try {
        await navigator.clipboard.writeText(text);
        say("Copied");
      } catch {
        window.getSelection().selectAllChildren(this.part("streams"));
        say(document.execCommand("copy") ? "Copied" : "Copy");
        window.getSelection().removeAllRanges();
      }
    }

    // Adds text to its end, and follows the end as long as it is in sight.
    write(pre, { text, skipped }, reset) {
      const follows = reset || pre.scrollHeight - pre.scrollTop - pre.clientHeight < 12;
      if (reset) pre.textContent = "";
      const begin = pre.textContent ? "\n" : "";
      if (skipped > 0) pre.append(begin + "[\u2026 " + skipped + " bytes are not shown \u2026]\n");
      if (text) pre.append(plain(text));
      if (pre.textContent.length > KEPT_CHARS) pre.textContent = pre.textContent.slice(-KEPT_CHARS / 2);
      else pre.normalize();
      if (follows && (text || reset)) pre.scrollTop = pre.scrollHeight;
    }
  }

  function monitorOf(root) {
    if (!monitors.has(root.id)) monitors.set(root.id, new Monitor(root));
    return monitors.get(root.id);
  }

  // As an input of Shiny it is found wherever a page puts it, also later, and tells the server that it is there.
  class MonitorBinding extends Shiny.InputBinding {
    find(scope) {
      return $(scope).find(".taskq-monitor");
    }

    getId(root) {
      return root.id;
    }

    getValue(root) {
      const monitor = monitorOf(root);
      return { instance: monitor.instance, shown: monitor.isShown() };
    }

    subscribe(root, callback) {
      monitorOf(root).watch(() => callback(false));
    }

    unsubscribe(root) {
      const monitor = monitors.get(root.id);
      if (!monitor) return;
      monitors.delete(root.id);
      monitor.leave();
    }
  }

  Shiny.inputBindings.register(new MonitorBinding(), "taskq.monitor");

  Shiny.addCustomMessageHandler("taskq-monitor", (message) => {
    const monitor = monitors.get(message.to);
    if (monitor && monitor.instance === message.instance) monitor.apply(message);
  });
})();
